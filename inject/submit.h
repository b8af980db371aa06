// The last step of every program here: the message into the queue, the answer into an exit code.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/deadline.h"
#include "queue/client.h"

namespace relais::inject {

// How long a message may take to come and to be taken, like qmail-queue's patience.
Deadline submission_deadline();

// Copies what is left of a descriptor into the submission, 64 KiB at a time. Throws Error.
void copy_message(int fd, queue::Submission& submission, Deadline deadline);

// Ends the submission. Throws an Error with the text of a refusal, permanent or temporary as it was meant.
void finish(queue::Submission& submission, std::string_view sender,
            const std::vector<std::string>& recipients);

// Sends the message on descriptor 0, with DTLINE above it, and logs "qp N": what forward and condredirect do.
// Throws Error, permanent if DTLINE is not set.
void forward_message(std::string_view sender, const std::vector<std::string>& recipients);

}  // namespace relais::inject
