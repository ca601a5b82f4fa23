"""Float32 products during training: as exact as without the choice of a library, which is undone afterwards."""

import pytest
import torch

from dendrix.train import products
from dendrix.train.products import fast_products

AMX = dict(avx512_bw=True, amx_tile=True, amx_bf16=True)
WITHOUT_AMX = dict(avx512_bw=True, amx_tile=False, amx_bf16=False)


def error() -> float:
    x, y = torch.randn(300, 200), torch.randn(200, 100)
    return float((x @ y - x.double() @ y.double()).abs().max())


def test_products_are_exact_to_float32() -> None:
    torch.manual_seed(0)
    plain = error()
    with fast_products():
        assert error() < 4 * plain  # bfloat16 would be 10,000 times worse


@pytest.mark.parametrize(("capabilities", "chosen"), [(AMX, "none"), (WITHOUT_AMX, "bf16"), (dict(neon=True), "none")])
def test_onednn_is_chosen_only_where_it_computes_in_float32(
    capabilities: dict[str, bool], chosen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    matmul = torch.backends.mkldnn.matmul
    with fast_products():
        assert matmul.fp32_precision == chosen
    assert matmul.fp32_precision == "none"


def test_the_setting_is_undone_after_an_error() -> None:
    with pytest.raises(ZeroDivisionError), fast_products():
        1 / 0  # noqa: B018
    assert torch.backends.mkldnn.matmul.fp32_precision == "none"


def test_a_choice_of_the_user_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: WITHOUT_AMX)
    matmul = torch.backends.mkldnn.matmul
    matmul.fp32_precision = "ieee"
    try:
        with fast_products():
            assert matmul.fp32_precision == "ieee"
    finally:
        matmul.fp32_precision = "none"


def test_there_is_a_reason_to_choose_only_with_a_known_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert not products.exact_in_onednn()
