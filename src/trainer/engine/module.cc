#include "trainer/engine/engine_module.h"
#include "trainer/engine/training/make_engine.h"

extern "C" coxswain::trainer::engine::Engine* CoxswainMakeEngine() {
  return coxswain::trainer::engine::MakeEngine().release();
}
