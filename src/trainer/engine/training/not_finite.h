// What is the matter once a number is not finite: looked for only then, for the job's last words.
#pragma once

#include <string>
#include <vector>

#include "trainer/engine/model/model.h"

namespace coxswain::trainer::engine {

// "first parameter with a non-finite gradient: layers.3.weight", in the order of the model; or,
// where an earlier update has left one that is no number: "parameter layers.3.weight is not
// finite".
std::string WhereNotFinite(const std::vector<NamedTensor>& parameters);
// The same of gradients alone; empty: every single one is finite.
std::string WhereGradientNotFinite(const std::vector<NamedTensor>& parameters);

}  // namespace coxswain::trainer::engine
