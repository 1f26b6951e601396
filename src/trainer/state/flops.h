// How many floating-point operations training on one sample takes, and how many a GPU can do: for
// an estimate of model FLOP utilisation. Pure.
//
// Counted as Chowdhery et al. 2022 (PaLM, appendix B) do: a multiplication and an addition for each
// weight of a linear layer, of a convolution at each place of its output, and of both products of
// attention over the whole sequence; backward twice that. Norms, activations and the optimizer are
// not counted, nor is what is computed a second time to save memory.
#pragma once

#include <string_view>

#include "common/config/job_spec.h"
#include "trainer/state/state_list.h"

namespace coxswain::trainer::state {

// 0: of a model that is no recipe of ours.
double FlopsPerSample(const config::JobSpec& spec, const ImageShape& image);
double FlopsPerSample(const config::JobSpec& spec, const TableShape& table);
double FlopsPerSample(const config::JobSpec& spec, const config::TextShape& text);

// Of one GPU, a second, for dense matrices, by its maker's data sheet; `gpu` is NVML's name
// ("NVIDIA H200"). 0: not known.
double PeakFlops(std::string_view gpu, config::Precision precision);

}  // namespace coxswain::trainer::state
