"""LoRA's products in a few kernels: what an adapter adds is added as it is made.

peft copies what goes in to fp32 and back, scales the adapter's part and adds it, each
in a pass over all that a layer reads or writes; for a small student these take longer
than the products. Under autocast this does the same sums without the passes.
"""

import torch
from peft.tuners.lora import Linear
from torch.nn import functional


class AdaptedLinear(Linear):
    """peft's LoRA layer, whose training under autocast goes without extra passes.

    For `LoraConfig._register_custom_module`. What it saves is what peft's layer does.
    """

    def forward(self, x: torch.Tensor, *args, **kwargs) -> torch.Tensor:
        """(..., in) to (..., out), as peft's."""
        device = x.device.type
        if (
            args
            or kwargs
            or self.merged
            or self.disable_adapters
            or not torch.is_autocast_enabled(device)
            or len(self.active_adapters) != 1
            or self.base_layer.weight.requires_grad
        ):
            return super().forward(x, *args, **kwargs)
        [name] = self.active_adapters
        if name in self.lora_variant or not isinstance(
            self.lora_dropout[name], torch.nn.Identity
        ):
            return super().forward(x, *args, **kwargs)
        half = torch.get_autocast_dtype(device)
        base = self.base_layer
        return _Adapted.apply(
            x.to(half),
            base.weight.to(half),
            None if base.bias is None else base.bias.to(half),
            self.lora_A[name].weight,
            self.lora_B[name].weight,
            self.scaling[name],
        )


class _Adapted(torch.autograd.Function):
    """x W' + bias + scaling (x A') B', W and bias frozen."""

    @staticmethod
    def forward(ctx, x, weight, bias, a, b, scaling):
        half = x.dtype
        flat = x.flatten(0, -2)
        down, up = a.to(half), (b * scaling).to(half)
        inner = flat @ down.T
        written = functional.linear(flat, weight, bias)
        written.addmm_(inner, up.T)
        ctx.save_for_backward(flat, weight, down, up, inner)
        ctx.scaling, ctx.dtypes = scaling, (a.dtype, b.dtype)
        return written.unflatten(0, x.shape[:-1])

    @staticmethod
    def backward(ctx, gradient):
        flat, weight, down, up, inner = ctx.saved_tensors
        own = gradient.flatten(0, -2).to(flat.dtype)
        back = own @ up
        of_a = (back.T @ flat).to(ctx.dtypes[0])
        of_b = (own.T @ inner).to(ctx.dtypes[1]) * ctx.scaling
        of_x = None
        if ctx.needs_input_grad[0]:
            of_x = own @ weight
            of_x.addmm_(back, down)
            of_x = of_x.unflatten(0, gradient.shape[:-1])
        return of_x, None, None, of_a, of_b, None
