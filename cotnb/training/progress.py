"""How far a tuning is, as it goes."""

from transformers import TrainerCallback

from cotnb.progress import Progress


class TrainingProgress(TrainerCallback):
    """Shows a Trainer's optimiser steps and its last loss, once for all processes."""

    def on_train_begin(self, args, state, control, **_):
        shown = state.is_world_process_zero
        self.progress = Progress(state.max_steps, "tuning, steps", shown)
        self.progress.advance(state.global_step)
        self.note = ""

    def on_log(self, args, state, control, logs=None, **_):
        if logs and "loss" in logs:
            self.note = f"loss {float(logs['loss']):.3f}"

    def on_step_end(self, args, state, control, **_):
        self.progress.advance(1, self.note)

    def on_train_end(self, args, state, control, **_):
        self.progress.close()
