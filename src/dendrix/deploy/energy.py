"""Matrix products of integer networks for the energy meter."""

from typing import Any

import numpy as np
import torch

from ..energy.matrix_products import Product, products
from . import reference
from .network import IntegerNetwork


@products.register
def _integer_network(module: IntegerNetwork, given: dict[str, Any], y: Any) -> tuple[Product, ...]:  # noqa: ARG001 - the first function sets the signature
    """One product for each layer and for its feedback; the spikes within are those of the reference. Invalid steps end a row."""
    x = module.inputs.whole(torch.nan_to_num(given["x"]))
    memory = module.init_state(len(x)).memory.numpy().astype(np.int64)
    outputs = [torch.from_numpy(part).float() for part in reference.traced(module.layers(), module.plan, x.numpy(), memory)]
    found = []
    for form, sent, out in zip(module.forms, [x.float(), *outputs], outputs, strict=False):
        reach = form.outputs * form.synapses
        found.append(Product(sent, 2, reach, reach * form.inputs, form.outputs, 1))
        if form.feedback_synapses:
            own = form.outputs * form.feedback_synapses
            found.append(Product(out, 2, own, own * form.outputs, form.outputs, 1))
    return tuple(found)
