// Texts generated from the register of settings (settings.h). tests/unit/test_config_docs.cpp checks that the
// committed files are what these functions return.
#pragma once

#include <string>

namespace pgtrickle::config {

/// config/pgtrickled.yaml: every key with its help and default. It is a valid configuration.
std::string sample_config();

/// docs/CONFIGURATION.md
std::string config_docs();

}  // namespace pgtrickle::config
