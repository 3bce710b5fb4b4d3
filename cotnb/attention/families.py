"""Families of decoders that remember in a way that is not kept apart here."""

from transformers import PreTrainedModel

from cotnb.errors import UserError

ATTENDING = {"full_attention", "sliding_attention", "chunked_attention"}
# its local layers count back from the end of a store, of which rows fill a part
COUNTING_COLUMNS = ("gpt_neo",)


def refuse_other_memories(model: PreTrainedModel) -> None:
    """Raise UserError where a decoder carries a state, or sees by columns of a store.

    Rows that share a store or a line would then read of one another. A configuration
    names kinds of layers in `layer_types`, or has one kind and names none.
    """
    kinds = set(getattr(model.config, "layer_types", None) or ATTENDING)
    family = model.config.model_type
    if model._is_stateful or kinds - ATTENDING or family in COUNTING_COLUMNS:
        raise UserError(
            f"{family}: students of this family can be neither asked nor tuned here: "
            "they remember by more than attention to what was read; choose a plain "
            "decoder such as Llama, Qwen2 or SmolLM2"
        )
