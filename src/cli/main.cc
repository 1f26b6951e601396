#include "cli/verbs/program.h"

int main(int argc, char** argv) { return coxswain::cli::verbs::RunCox(argc, argv); }
