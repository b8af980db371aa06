// What is wrong with the certificates of an instance's servers, for qmail-showctl.
#pragma once

#include <string>
#include <vector>

#include "control/home.h"

namespace relais::tls {

struct CertificateProblem {
    std::string file;  // below the home directory
    std::string text;
    bool warning;  // else worth knowing
};

// Looks at control/servercert.pem and servercerts/: no certificate, no key or another's, a key that others
// may read, an end that is near or past, a name that is not control/me's (or the file's). What cannot be read
// is a problem too. Never throws but for memory.
std::vector<CertificateProblem> check_certificates(const control::Home& home);

}  // namespace relais::tls
