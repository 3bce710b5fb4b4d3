"""The Trainer that tunes: planned batches, a loss on target tokens alone."""

import math
from collections.abc import Sequence
from contextlib import nullcontext

import torch
from accelerate.data_loader import prepare_data_loader
from torch.utils.data import DataLoader
from transformers import Trainer

from cotnb.students import Student
from cotnb.training.batching import (
    Encoded,
    bucket_rows,
    own_rows,
    pack_pairs,
    pad_pairs,
    sort_step,
    split_step,
    tokens_at_once,
)
from cotnb.training.cross_entropy import summed_cross_entropy
from cotnb.training.divergence import lay_out, summed_divergence


class PairTrainer(Trainer):
    """A Trainer over planned batches, with the loss on target tokens alone.

    encoded: the pairs' token ids. plan: the rows of every optimiser step, so that a
    resumed run sees the batches it would have seen. bf16: whether products are in half
    precision. The arguments' own bf16 would copy all logits to fp32, and back.
    """

    def __init__(
        self,
        *,
        encoded: Sequence[Encoded],
        plan,
        student: Student,
        bf16: bool,
        **arguments,
    ):
        self.plan = plan
        self.bf16 = bf16
        self.pad_token_id = student.tokenizer.pad_token_id
        self.encoder_decoder = student.is_encoder_decoder
        super().__init__(train_dataset=encoded, **arguments)

    def get_train_dataloader(self) -> DataLoader:
        loader = DataLoader(
            self.train_dataset,
            batch_sampler=self.plan,
            collate_fn=self._collate,
            num_workers=self.args.dataloader_num_workers,
            pin_memory=self.args.dataloader_pin_memory,
        )
        # every process reads whole steps and takes its own rows of them
        return prepare_data_loader(
            loader,
            self.args.device,
            num_processes=1,
            process_index=0,
            put_on_device=True,
            non_blocking=True,
        )

    def _collate(self, rows: list[Encoded]) -> dict:
        """This process's parts of a step, and all processes' target tokens."""
        targets = sum(len(row.target) for row in rows)
        own = own_rows(rows, self.args.process_index, self.args.world_size)
        if not own:  # it takes part with a row that counts for nothing
            own, targets = rows[:1], math.inf
        most = tokens_at_once(self.encoder_decoder, self.args.device.type)
        if self.encoder_decoder:
            apart = sort_step(own, most)
            parts = [
                pad_pairs(part, self.pad_token_id, bucket_rows(len(part)))
                for part in apart
            ]
        else:
            apart = split_step(own, most)
            parts = [pack_pairs(part, self.pad_token_id) for part in apart]
        if rows[0].soft is not None:
            for part, its in zip(parts, apart, strict=True):
                part["soft"] = lay_out([row.soft for row in its], part["labels"])
        return {"parts": parts, "targets": targets}

    def training_step(self, model, inputs, num_items_in_batch=None):
        """Gradients of a step, part by part; returns its loss, (), without a graph.

        Of several processes each gives what makes their mean that of one alone.
        """
        model.train()
        inputs = self._prepare_inputs(inputs)
        whole = inputs["targets"] * self.current_gradient_accumulation_steps
        whole /= self.args.world_size
        last = inputs["parts"][-1]
        losses = []
        # weights are cast once for all parts
        with self._autocast(self.bf16):
            for part in inputs["parts"]:
                # gradients are shared out once a step
                own = nullcontext() if part is last else self.accelerator.no_sync(model)
                with own:
                    loss = self.compute_loss(model, part) / whole
                    with self._autocast(False):
                        self.accelerator.backward(loss)
                losses.append(loss.detach())
        return torch.stack(losses).sum()

    def _autocast(self, enabled: bool):
        return torch.autocast(self.args.device.type, torch.bfloat16, enabled)

    def compute_loss(self, model, inputs, **_):
        """The sum over one part's target tokens of their cross-entropy, in nats.

        With `soft` it is that of their divergence from what is to be learnt.
        """
        kept_back = {"soft"} if self.encoder_decoder else {"soft", "labels"}
        asked = {name: inputs[name] for name in inputs if name not in kept_back}
        output = model(**asked, use_cache=False)
        logits = output.logits.flatten(0, 1)
        if "soft" in inputs:
            return summed_divergence(logits, inputs["soft"])
        return summed_cross_entropy(logits, inputs["labels"].flatten())

    def floating_point_ops(self, inputs) -> int:
        return 0  # the Trainer's own count reads padded batches
