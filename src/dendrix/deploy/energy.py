"""Matrix products and states of integer networks for the energy meter."""

from typing import Any

import numpy as np
import torch

from ..energy.matrix_products import Product, products
from ..energy.stored_states import Stored, stored
from ..lowering.stage_forms import EdgeForm
from . import image_reference, reference, text_reference
from .image_layout import StageForm
from .image_network import ImageEncoding, IntegerImageNetwork
from .integer_layer import Ints
from .network import IntegerNetwork
from .text_network import IntegerSpikeGPT


@products.register
def _integer_network(module: IntegerNetwork, given: dict[str, Any], y: Any) -> tuple[Product, ...]:  # noqa: ARG001 - the first function sets the signature
    """One product for each layer and for its feedback; the spikes within are those of the reference. Invalid steps end a row."""
    x = module.inputs.whole(torch.nan_to_num(given["x"]))
    memory = module.init_state(len(x)).memory.numpy().astype(np.int64)
    outputs = [torch.from_numpy(part).float() for part in reference.traced(module.layers(), module.plan, x.numpy(), memory)]
    found = []
    for layer, sent, out in zip(module.layers(), [x.float(), *outputs], outputs, strict=False):
        form, reach = layer.form, layer.form.outputs * layer.form.synapses
        found.append(Product(sent, 2, reach, reach * form.inputs, form.outputs, taps=int(layer.delay.max()) + 1))
        if layer.feedback_delay is not None:
            own = form.outputs * form.feedback_synapses
            found.append(Product(out, 2, own, own * form.outputs, form.outputs, taps=int(layer.feedback_delay.max()) + 1))
    return tuple(found)


@stored.register
def _integer_neurons(module: IntegerNetwork, given: dict[str, Any], y: Any) -> tuple[Stored, ...]:  # noqa: ARG001
    """One number for each neuron; delay lines are counted with the products."""
    hidden, outputs = sum(form.outputs for form in module.forms[:-1]), module.forms[-1].outputs
    return Stored(hidden, hidden, float(hidden), True), Stored(outputs, outputs, float(outputs), False)


@stored.register
def _integer_image_neurons(module: IntegerImageNetwork, given: dict[str, Any], y: Any) -> tuple[Stored, ...]:  # noqa: ARG001
    neurons = sum(stage.form.size for stage in module.stages() if stage.form.fires)
    return (Stored(module.plan.memory, neurons, float(module.plan.memory), True),)


@stored.register
def _integer_text_state(module: IntegerSpikeGPT, given: dict[str, Any], y: Any) -> tuple[Stored, ...]:  # noqa: ARG001
    values = module.init_state(1).shape[1]
    return (Stored(values, 0, float(values), False),)


@products.register
def _image_encoding(module: ImageEncoding, given: dict[str, Any], y: Any) -> tuple[Product, ...]:  # noqa: ARG001
    """The first stage, once per image."""
    network: IntegerImageNetwork = given["network"]
    stage = network.stages()[0]
    maps = given["pixels"] - torch.tensor(network.centre)
    return tuple(_edge_product(edge, stage.form, weight, maps) for edge, weight in zip(stage.form.edges, stage.weights, strict=True))


@products.register
def _integer_images(module: IntegerImageNetwork, given: dict[str, Any], y: Any) -> tuple[Product, ...]:  # noqa: ARG001
    """The stages after the first, at every step; the spikes within are those of the reference. Only matrix products count."""
    stages, currents = module.stages(), torch.nan_to_num(given["x"]).round().long().numpy()
    memory, sent = module.init_state(len(currents)).memory.numpy().astype(np.int64), []
    for t in range(currents.shape[1]):
        maps, memory = image_reference.step(stages, module.plan, currents[:, t], memory)
        sent.append([torch.from_numpy(part).half() for part in maps[1:-1]])  # small numbers, which take little memory
    found = []
    for stage in stages[1:]:
        for edge, weight in zip(stage.form.edges, stage.weights, strict=True):
            if edge.kind == "conv":
                found.append(_edge_product(edge, stage.form, weight, torch.stack([step[edge.source - 1] for step in sent], 1)))
    return tuple(found)


@products.register
def _integer_text(module: IntegerSpikeGPT, given: dict[str, Any], y: Any) -> tuple[Product, ...]:  # noqa: ARG001
    """One product for each matrix, in the order of the network; the numbers within are those of the reference. Spike counts are as many
    spikes."""
    tokens = given["x"].numpy().astype(np.int64)
    tables = [part.numpy().astype(np.int64) for part in (module.embedding, module.weights, module.constants)]
    state = module.init_state(len(tokens)).numpy().astype(np.int64)
    seen: list[list[tuple[str, Ints, Ints]]] = []
    for t in range(tokens.shape[1]):
        seen.append([])

        def watch(name: str, x: Ints, weights: Ints) -> None:
            seen[-1].append((name, x, weights))

        text_reference.step(module.config, module.plan, tables, tokens[:, t], state, watch)
    found: list[Product] = []
    for steps in zip(*seen, strict=True):
        x, (outputs, inputs) = torch.from_numpy(np.stack([x for _, x, _ in steps], 1)).float(), steps[0][2].shape
        counts = x.abs() if module.config.spikes == "input" and steps[0][0] != "head" else None
        found.append(Product(x if counts is None else x.sign(), 2, outputs, outputs * inputs, outputs, counts=counts))
    return tuple(found)


def _edge_product(edge: EdgeForm, form: StageForm, weight: Ints, maps: torch.Tensor) -> Product:
    """The product of maps [..., H, W, C] and the weights of an edge, of one byte each."""
    height, width, channels = maps.shape[-3:]
    reach = torch.from_numpy(image_reference.reach(edge, form, (height, width, channels)).copy()).movedim(-1, 0)
    return Product(maps.float().movedim(-1, -3), maps.dim() - 3, reach, weight.size, form.size)
