"""LoRA in few kernels: peft's own sums and gradients."""

import copy

import pytest
import torch
from peft import LoraConfig, get_peft_model
from peft.tuners.lora import Linear

from cotnb.formats import Pair
from cotnb.recipes import Recipe
from cotnb.students import load_student
from cotnb.training import tune
from cotnb.training.adapted_products import AdaptedLinear, _Adapted


def test_gradients_are_those_of_the_formula():
    torch.manual_seed(0)
    sizes = {"x": (2, 3, 5), "a": (2, 5), "b": (4, 2)}
    x, a, b = (
        torch.randn(size, dtype=torch.float64, requires_grad=True)
        for size in sizes.values()
    )
    weight, bias = torch.randn(4, 5).double(), torch.randn(4).double()

    def adapted(x, a, b):
        return _Adapted.apply(x, weight, bias, a, b, 0.5)

    expected = x @ weight.T + bias + 0.5 * (x @ a.T @ b.T)
    torch.testing.assert_close(adapted(x, a, b), expected)
    assert torch.autograd.gradcheck(adapted, (x, a, b))


@pytest.mark.parametrize("name", ["toy-t5", "toy-llama"])
def test_a_step_is_pefts(name):
    """As near to fp32 as peft's own layers come in half precision."""
    student = load_student(name)
    ids = torch.randint(5, 90, (3, 11), generator=torch.Generator().manual_seed(1))

    def step(model, half: bool):
        with torch.autocast("cpu", torch.bfloat16, half):
            loss = model(input_ids=ids, labels=ids).loss
        loss.backward()
        learnt = {n: p.grad for n, p in model.named_parameters() if p.requires_grad}
        return loss, torch.cat([learnt[n].flatten() for n in sorted(learnt)])

    def adapted(own: bool):
        torch.manual_seed(2)
        config = LoraConfig(
            r=4, target_modules="all-linear", init_lora_weights=False, lora_alpha=8
        )
        if own:
            config._register_custom_module({torch.nn.Linear: AdaptedLinear})
        return get_peft_model(copy.deepcopy(student.model), config).eval()

    layers = {type(m) for m in adapted(own=True).modules() if isinstance(m, Linear)}
    assert layers == {AdaptedLinear}
    exact, gradients = step(adapted(own=False), half=False)
    far = {}
    for own in (False, True):
        loss, found = step(adapted(own), half=True)
        far[own] = ((found - gradients).norm() / gradients.norm()).item()
        assert abs(loss - exact) < 0.02 * exact
    assert 0 < far[True] < 1.1 * far[False] < 0.1


def test_what_was_tuned_by_it_is_an_adapter_of_pefts():
    pairs = [Pair("1 + 1 =", "2"), Pair("2 + 2 =", "4")]
    recipe = Recipe(method="lora", epochs=2, batch_size=2)
    untuned = load_student("toy-llama").model.state_dict()
    merged = tune("toy-llama", pairs, recipe).model.state_dict()
    assert untuned.keys() == merged.keys()
    assert any(not torch.equal(merged[key], untuned[key]) for key in untuned)
