// What a message that a delivery passes on says beside its addresses. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "mail/envelope.h"

namespace relais::local {

// sender: of the message that came; new_sender: of the one that goes on, a mailing list's own where they
// differ: then it answers for itself. extension: what DSN asks for its recipient. That it was passed on has
// been answered, so those it goes on to ask for no success.
mail::Envelope forwarded_envelope(std::string_view sender, std::string_view new_sender,
                                  std::string_view extension, const std::vector<std::string>& recipients);

}  // namespace relais::local
