"""Train one network alone, with DDP and with FSDP2: `torchrun --nproc-per-node 2 two_processes.py`; raises where they differ."""

import copy
import os
from collections.abc import Callable

import torch
from torch import Tensor, distributed, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.nn.parallel import DistributedDataParallel
from torch.testing import assert_close

from dendrix.core import chosen_kernels
from dendrix.layers import DelayLinear, Sequential, clamp_delays
from dendrix.neurons import LI, LIF


def trained(network: nn.Module, prepared: Callable[[nn.Module], nn.Module], x: Tensor, target: Tensor) -> dict[str, Tensor]:
    """The parameters after three steps, whole."""
    network = copy.deepcopy(network)
    model = prepared(network)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    for _ in range(3):
        optimizer.zero_grad()
        outputs, _ = model(x)
        nn.functional.cross_entropy(outputs.mean(1), target).backward()
        optimizer.step()
        clamp_delays(network)
    return {name: p.full_tensor() if hasattr(p, "full_tensor") else p.detach() for name, p in network.named_parameters()}


def sharded(network: nn.Module) -> nn.Module:
    mesh = init_device_mesh("cpu", (distributed.get_world_size(),))
    for stage in network.stages:
        fully_shard(stage, mesh=mesh)
    return fully_shard(network, mesh=mesh)


if __name__ == "__main__":
    torch.set_num_threads(1)
    distributed.init_process_group("gloo")
    torch.manual_seed(0)
    network = Sequential(DelayLinear(32, 64, 100.0, 10.0), LIF(64), DelayLinear(64, 32, 100.0, 10.0), LI(32))
    x, target = (torch.rand(8, 40, 32) < 0.2).float() * 4, torch.randint(0, 32, (8,))
    share = slice(distributed.get_rank(), None, 2)
    alone = trained(network, lambda network: network, x, target)
    assert any(not torch.equal(alone[name], p) for name, p in network.named_parameters())
    for prepared in (DistributedDataParallel, sharded):
        assert_close(trained(network, prepared, x[share], target[share]), alone, rtol=0, atol=1e-5)
    assert chosen_kernels()["delay_kernel on cpu"].startswith("kernels.")
    assert chosen_kernels()["lif_step on cpu"].startswith("kernels.")
    distributed.destroy_process_group()
    # torch keeps the mesh of FSDP2 in its caches, and with it gloo's threads, which abort the process if they release a tensor while Python
    # ends: https://github.com/pytorch/pytorch/pull/179291. A difference has already raised here.
    os._exit(0)
