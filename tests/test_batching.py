"""Batches: every row, every epoch, few shapes, targets side by side."""

import torch

from cotnb.batching import BUCKET, IGNORED, Encoded, collate, plan_batches

ROWS = [Encoded(list(range(1, 5 + i % 40)), [7] * (1 + i % 9)) for i in range(100)]


def test_each_epoch_visits_each_row_once():
    plan = plan_batches(ROWS, batch_size=16, epochs=2, seed=0)
    visited = sorted(row for batch in plan for row in batch)
    assert visited == sorted([*range(100), *range(100)])
    assert len(plan) == 14 and max(map(len, plan)) == 16


def test_a_part_of_an_epoch_is_a_part_of_the_rows():
    rows = [row for batch in plan_batches(ROWS, 16, 0.5, 0) for row in batch]
    assert len(rows) == len(set(rows)) == 50


def test_the_plan_is_the_seeds():
    assert plan_batches(ROWS, 16, 1, 0) == plan_batches(ROWS, 16, 1, 0)
    assert plan_batches(ROWS, 16, 1, 0) != plan_batches(ROWS, 16, 1, 1)


def test_rows_of_like_length_share_a_batch():
    def padding(plan):
        batches = [collate([ROWS[i] for i in batch], 0, False) for batch in plan]
        return sum(int((b["attention_mask"] == 0).sum()) for b in batches)

    unsorted = [list(range(i, min(i + 16, 100))) for i in range(0, 100, 16)]
    assert padding(plan_batches(ROWS, 16, 1, 0)) < 0.8 * padding(unsorted)


def test_a_decoders_row_is_prompt_left_padded_and_target_right_padded():
    rows = [Encoded([5, 6, 7], [8, 9]), Encoded([4], [3])]
    batch = collate(rows, pad_token_id=0, encoder_decoder=False)
    assert batch["input_ids"].shape == (2, 2 * BUCKET)
    assert batch["input_ids"][0, BUCKET - 3 : BUCKET + 2].tolist() == [5, 6, 7, 8, 9]
    assert batch["labels"][1, :2].tolist() == [3, IGNORED]
    assert batch["labels"].shape == (2, BUCKET)
    positions = batch["position_ids"][0, BUCKET - 3 : BUCKET + 2].tolist()
    assert positions == [0, 1, 2, 3, 4]
    assert batch["attention_mask"].sum(1).tolist() == [5, 2]


def test_a_pad_token_that_is_also_the_end_mark_stays_a_label():
    rows = [Encoded([5], [8, 2]), Encoded([5], [8, 8, 8, 2])]
    labels = collate(rows, pad_token_id=2, encoder_decoder=False)["labels"]
    assert labels[0, :3].tolist() == [8, 2, IGNORED]


def test_an_encoder_reads_the_prompt_alone():
    batch = collate([Encoded([5, 6], [8])], pad_token_id=0, encoder_decoder=True)
    assert batch["input_ids"].shape == (1, BUCKET)
    assert torch.equal(batch["attention_mask"].sum(1), torch.tensor([2]))
