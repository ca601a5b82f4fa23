"""Sharding of parameters, gradients and optimiser moments over processes with FSDP2, on GPUs and on CPUs.

accelerate supports FSDP2 on GPUs only, so torch is called directly. Its modules are imported late, because importing them takes a second.
"""

import copy

import torch
from torch import Tensor, distributed, nn

from ...errors import InputError


def sharded(network: nn.Module, device: torch.device) -> nn.Module:
    """Return a copy of a network with its parameters sharded over all processes. Those of a block are gathered while it computes.

    Args:
        network: network to copy, with the parameters of the first process. Its blocks are the entries of its module lists.
        device: device to compute on.
    Raises:
        InputError: there is only one process.
    """
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    count = distributed.get_world_size() if distributed.is_initialized() else 1
    if count < 2:
        raise InputError("shard: expected several processes to share the parameters, got one. Start them with torchrun, or leave it out.")
    network.to(device)
    for tensor in network.state_dict().values():
        distributed.broadcast(tensor, 0)
    mesh, shared = init_device_mesh(device.type, (count,)), copy.deepcopy(network)
    for module in list(shared.modules()):
        if isinstance(module, nn.ModuleList):
            for block in module:
                fully_shard(block, mesh=mesh)
    fully_shard(shared, mesh=mesh)
    return shared


def joined(x: Tensor) -> Tensor:
    """Return the whole of a sharded tensor (a collective call); any other tensor is returned unchanged."""
    found: Tensor = x.full_tensor() if hasattr(x, "full_tensor") else x
    return found


def shared_like(x: Tensor, like: Tensor) -> Tensor:
    """Return a tensor sharded like another one, or unchanged if that one is not sharded."""
    from torch.distributed.tensor import DTensor, distribute_tensor

    return distribute_tensor(x.to(like.device), like.device_mesh, like.placements) if isinstance(like, DTensor) else x
