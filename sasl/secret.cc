#include "sasl/secret.h"

#include <sodium.h>

#include <algorithm>
#include <cstring>

#include "base/error.h"

namespace relais {

Secret::Secret(std::size_t size) : size_(size) {
    if (::sodium_init() < 0) throw Error(Reaction::temporary, "unable to initialise libsodium");
    data_.reset(static_cast<char*>(::sodium_malloc(std::max<std::size_t>(size, 1))));
    if (!data_) throw_errno("get", "memory for a password", ENOMEM);
    if (size > 0) std::memset(data_.get(), 0, size);
}

Secret::Secret(std::string_view text) : Secret(text.size()) {
    std::copy(text.begin(), text.end(), data_.get());
}

Secret Secret::joined(std::initializer_list<std::string_view> parts) {
    std::size_t size = 0;
    for (const std::string_view part : parts) size += part.size();
    Secret all(size);
    char* to = all.data_.get();
    for (const std::string_view part : parts) to = std::copy(part.begin(), part.end(), to);
    return all;
}

void Secret::Free::operator()(char* data) const {
    ::sodium_free(data);
}

void wipe(std::string& text) {
    ::explicit_bzero(text.data(), text.size());
    text.clear();
}

}  // namespace relais
