"""Long tests of which a relative runs by default, so that `make test` stays short; `make test-all` runs them too."""

LONG = {
    "tests/bench/test_run.py::test_a_smoke_run_writes_its_record_and_its_table": "the other tests of the benchmarks",
    "tests/cli/test_lm.py::test_rounded_weights_cost_a_little": "tests/generate/test_decoder.py",
    "tests/conformance/test_differential.py::test_a_kernel_runs_and_equals_the_loop_forward_and_backward[NIRNeuron with": "NIRNeuron",
    "tests/conformance/test_gradients.py::test_compiled_equals_eager[Recurrent": "the other networks",
    "tests/conformance/test_gradients.py::test_compiled_equals_eager[DelayLinear axonal": "the other networks",
    "tests/conformance/test_gradients.py::test_compiled_equals_eager[NIRNeuron": "the other networks",
    "tests/conformance/test_gradients.py::test_compiled_equals_eager[ImageFrames": "Converted, which is in it",
    "tests/conformance/test_gradients.py::test_gradient_of_the_smooth_part[ImageFrames": "Converted, which is in it",
    "tests/conformance/test_kernels.py::test_bfloat16_equals_the_reference[LI]": "the other neurons",
    "tests/data/images/test_cifar.py::test_the_real_pack": "packs that are written by the tests",
    "tests/exchange/test_onnx_models.py::test_a_model_gives_the_outputs_of_its_network[delays]": "the network of neurons",
    "tests/exchange/test_pack.py::test_the_convolutional_network_recognises_digits": "the other graphs of the pack",
    "tests/exits/fitting/test_guarantee.py::test_promise_of_agreement_is_kept[1000]": "230 inputs",
    "tests/generate/test_decoder.py::test_equals_plain_torch[('input', False, 'bfloat16')": "the other weights",
    "tests/integration/test_accelerate.py::test_it_trains_as_plain_torch_does": "every training uses accelerate",
    "tests/integration/test_compile.py::test_sizes_may_change[Sequential]": "LIF",
    "tests/integration/test_deployment_fsdd.py::test_c_on_every_clip[25-4": "8 bits",
    "tests/integration/test_export.py::test_an_onnx_model_gives_the_same_and_goes_on[reference]": "auto",
    "tests/kernels/delay/test_delay_kernels.py::test_delays_per_channel_equal_conv1d[shape0-dtype1]": "the other type",
    "tests/kernels/numba/test_specialise.py::test_the_second_process_finds_it_compiled": "tests/compiled/test_cache.py",
    "tests/kernels/test_triton.py::test_kernels_equal_the_rules_in_the_interpreter[triton_interpreter.py]": "the kernel of WKV",
    "tests/reproduce/studies/test_cifar10_conversion.py::test_the_command_measures_what_is_missing_once": "the page",
    "tests/reproduce/test_study.py::test_a_killed_job_stops_no_other_and_can_be_repeated": "the other tests of jobs",
    "tests/serve/test_half_sent.py::test_half_sent_requests[600": "fewer requests in tests/serve/test_connections.py",
    "tests/test_docs.py::test_snippets_run[frameworks]": "tests/integration",
    "tests/test_docs.py::test_snippets_run[nir]": "tests/exchange",
    "tests/test_docs.py::test_snippets_run[serve]": "tests/serve",
    "tests/test_docs.py::test_snippets_run[spikegpt-release]": "tests/models/spikegpt",
    "tests/test_rules.py::test_folders_with_helpers_of_the_same_name_are_collected_together": "every run collects them",
    "tests/train/distributed/test_processes.py::test_two_processes_learn_what_one_learns": "tests/integration/test_distributed.py",
    "tests/train/test_resume.py::test_what_is_resumed_ends_as_in_one_go[3]": "one epoch",
}
"""Beginning of the name of each test, and what remains."""


def is_long(name: str) -> bool:
    """Return whether a test belongs to `make test-all` only."""
    return name.startswith(tuple(LONG))
