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


def settings() -> tuple[str, ...]:
    backends = torch.backends
    return torch.get_float32_matmul_precision(), backends.mkldnn.matmul.fp32_precision, backends.cuda.matmul.fp32_precision


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
    before = settings()
    with fast_products():
        assert matmul.fp32_precision == chosen
        assert torch.get_float32_matmul_precision() == ("medium" if chosen == "bf16" else "highest")
        assert torch.backends.cuda.matmul.allow_tf32 == (chosen == "bf16")
    assert matmul.fp32_precision == "none"
    assert settings() == before


def test_a_choice_of_the_user_in_a_training_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: WITHOUT_AMX)
    try:
        with fast_products():
            torch.set_float32_matmul_precision("high")
        assert torch.get_float32_matmul_precision() == "high"
    finally:
        torch.set_float32_matmul_precision("highest")
        torch.backends.mkldnn.matmul.fp32_precision = torch.backends.cuda.matmul.fp32_precision = "none"


def test_nothing_changes_where_there_is_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: WITHOUT_AMX)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    before = settings()
    with fast_products():
        assert settings() == before


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
