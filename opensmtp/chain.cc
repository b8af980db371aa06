#include "opensmtp/chain.h"

#include <signal.h>
#include <unistd.h>

#include <vector>

#include "base/error.h"
#include "base/text.h"
#include "opensmtp/address.h"

namespace relais::opensmtp {

std::string client_address() {
    const std::string given = environment("TCPREMOTEIP", environment("TCP6REMOTEIP", ""));
    const auto address = canonical_client(given);
    if (!address) throw_permanent("TCPREMOTEIP is no address: \"" + safe_for_log(given) + "\"");
    return *address;
}

void run_next(const Arguments& arguments) {
    std::vector<char*> words;
    for (const std::string& argument : arguments) words.push_back(const_cast<char*>(argument.c_str()));
    words.push_back(nullptr);
    ::signal(SIGPIPE, SIG_DFL);
    ::execvp(words[0], words.data());
    throw_errno("run", arguments[0]);
}

}  // namespace relais::opensmtp
