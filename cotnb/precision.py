"""Half precision, where the device is made for it."""

from functools import lru_cache

import torch


@lru_cache
def multiplies_halves(device_type: str) -> bool:
    """Whether products in bf16 are no slower than in fp32 there.

    device_type: "cpu" or "cuda". A processor without instructions for it (x86 before
    AVX-512, say) has torch work them out value by value, tens of times slower.
    """
    if device_type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    has_kernels = torch.backends.mkldnn.is_available()
    return has_kernels and torch.ops.mkldnn._is_mkldnn_bf16_supported()


def computed_in(precision: str, device: torch.device) -> str:
    """The precision that is computed in where `precision` is asked for.

    "bf16" is "fp32" on a device that does not multiply in halves. It is asked for to
    save time, and there it would cost time and exactness.
    """
    return precision if multiplies_halves(device.type) else "fp32"
