"""Batches: every row, every epoch, few shapes, nothing lost in packing."""

import pytest
import torch

from cotnb.training.batching import (
    BUCKET,
    TARGET_BUCKET,
    TOKENS_AT_ONCE,
    TOKENS_BUCKET,
    Encoded,
    bucket_rows,
    pack_pairs,
    pad_pairs,
    plan_batches,
    sort_step,
    split_step,
)
from cotnb.training.cross_entropy import IGNORED

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
        batches = [pad_pairs([ROWS[i] for i in batch], 0) for batch in plan]
        return sum(int((b["attention_mask"] == 0).sum()) for b in batches)

    unsorted = [list(range(i, min(i + 16, 100))) for i in range(0, 100, 16)]
    assert padding(plan_batches(ROWS, 16, 1, 0)) < 0.8 * padding(unsorted)


def test_packed_rows_lie_end_to_end_and_targets_are_where_they_are_predicted():
    rows = [Encoded([5, 6, 7], [8, 9]), Encoded([4], [3])]
    batch = pack_pairs(rows, pad_token_id=0)
    assert batch["input_ids"].shape == (1, TOKENS_BUCKET)
    assert batch["input_ids"][0, :6].tolist() == [5, 6, 7, 8, 4, 0]
    assert batch["position_ids"][0, :6].tolist() == [0, 1, 2, 3, 0, 0]
    assert batch["logits_to_keep"][:3].tolist() == [2, 3, 4]
    assert batch["labels"][:4].tolist() == [8, 9, 3, IGNORED]
    assert batch["labels"].shape == batch["logits_to_keep"].shape == (TOKENS_BUCKET,)


def test_packed_rows_are_taken_apart_and_put_back():
    rows = [Encoded([5] * 20, [8, 9]), Encoded([4], [3]), Encoded([6, 7], [3, 3])]
    batch = pack_pairs(rows, pad_token_id=0)
    line = torch.arange(TOKENS_BUCKET)
    apart = line[batch["rows"]]
    assert apart.shape == (3, 2 * BUCKET)
    assert apart[2, :3].tolist() == [22, 23, 24]
    together = apart.flatten()[batch["places"]]
    assert together[:25].tolist() == list(range(25))


def test_packed_rows_are_not_sorted_so_that_steps_are_of_like_size():
    rows = [Encoded([1] * (1 + i % 97), [7]) for i in range(640)]

    def spread(plan):
        sizes = [sum(len(rows[i].prompt) for i in batch) for batch in plan]
        return max(sizes) - min(sizes)

    packed, sorted_ = (plan_batches(rows, 16, 1, 0, by_length=x) for x in (False, True))
    assert sorted(row for batch in packed for row in batch) == list(range(640))
    assert spread(packed) < spread(sorted_) / 2


def test_a_long_step_is_done_in_parts_that_lose_no_row():
    rows = [Encoded([1] * (100 * i), [2] * 50) for i in range(1, 12)]
    parts = split_step(rows, TOKENS_AT_ONCE)
    assert [row for part in parts for row in part] == rows
    sizes = [sum(len(r.prompt) + len(r.target) for r in part) for part in parts]
    assert len(parts) > 1 and max(sizes) <= TOKENS_AT_ONCE
    longer = Encoded([1] * TOKENS_AT_ONCE, [2])
    assert split_step([longer, rows[0]], TOKENS_AT_ONCE) == [[longer], [rows[0]]]


def test_an_encoders_step_is_done_in_parts_of_like_length_that_lose_no_row():
    long = Encoded([1] * 40, [2] * 300)
    parts = sort_step([*ROWS, long], 1024)
    batches = [pad_pairs(part, 0) for part in parts]
    sizes = [b["input_ids"].numel() + b["labels"].numel() for b in batches]
    assert len(parts) > 2 and max(sizes) <= 1024
    rows = [row for part in parts for row in part]
    assert sorted(map(str, [*ROWS, long])) == sorted(map(str, rows))
    assert [len(part) for part in sort_step(ROWS[:3], 1)] == [1, 1, 1]


def test_a_step_is_cut_where_that_saves_more_than_a_part_costs():
    short, long = Encoded([1] * 16, [2]), Encoded([1] * 480, [2])
    together = sort_step([short] * 2 + [Encoded([1] * 32, [2])], 4096)
    assert len(together) == 1  # 32 tokens of padding, and a part costs 256
    apart = sort_step([short] * 8 + [long] + [short] * 8, 4096)
    assert apart == [[long], [short] * 16]
    wordy = Encoded([1] * 16, [2] * 64)
    assert sort_step([short] * 16 + [wordy] * 8, 4096) == [[wordy] * 8, [short] * 16]


def test_a_repeated_row_counts_for_nothing():
    rows = [Encoded([5, 6], [8, 9]), Encoded([4], [3])]
    batch, alone = pad_pairs(rows, 0, count=4), pad_pairs(rows, 0)
    assert batch["input_ids"].shape == (4, BUCKET)
    assert batch["labels"].shape == (4, TARGET_BUCKET)
    for name in batch:
        assert torch.equal(batch[name][:2], alone[name])
    assert (batch["labels"][2:] == IGNORED).all()
    assert batch["attention_mask"][2:].sum() == 2  # or a softmax over nothing is NaN


def test_rows_are_computed_in_few_numbers():
    assert [bucket_rows(n) for n in (1, 3, 4, 5, 8, 9)] == [1, 4, 4, 8, 8, 16]
    assert bucket_rows(9, 32) == 16 and bucket_rows(17, 32) == 32


@pytest.mark.parametrize("batch", [pad_pairs, pack_pairs])
def test_a_pad_token_that_is_also_the_end_mark_stays_a_label(batch):
    rows = [Encoded([5], [8, 2]), Encoded([5], [8, 8, 8, 2])]
    labels = batch(rows, pad_token_id=2)["labels"]
    assert labels[labels != IGNORED].tolist() == [8, 2, 8, 8, 8, 2]


def test_an_encoder_reads_the_prompt_alone():
    batch = pad_pairs([Encoded([5, 6], [8])], pad_token_id=0)
    assert batch["input_ids"].shape == (1, BUCKET)
    assert torch.equal(batch["attention_mask"].sum(1), torch.tensor([2]))
