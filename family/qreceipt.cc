// qreceipt ADDRESS, in a .qmail file, tells the sender of a message that asks for it (a field
// Notice-Requested-Upon-Delivery-To with the address) that it has arrived.
//
// Trust: run by qmail-local as the recipient, with no privilege of its own. Inputs: the message on descriptor
// 0, SENDER. Nothing is sent to the null sender, so no notice answers a notice.
//
// Exit codes: 0 done, or nobody asked; with "qreceipt: qp N" on standard error where a notice was sent; 100
// wrong usage, SENDER is not set, or refused for good; 111 later.
#include <unistd.h>

#include <algorithm>
#include <vector>

#include "base/error.h"
#include "base/io.h"
#include "base/program.h"
#include "base/text.h"
#include "base/time.h"
#include "inject/required.h"
#include "inject/submit.h"
#include "mail/address.h"
#include "mail/address_list.h"
#include "mail/header.h"
#include "mail/null_sender.h"

namespace {

using namespace relais;

constexpr std::size_t header_limit = std::size_t{1} << 20;

std::vector<std::string> read_fields(Deadline deadline) {
    using State = mail::HeaderReader::State;
    mail::HeaderReader reader(header_limit);
    std::vector<char> buffer(io_buffer_size);
    for (State state = State::more; state == State::more;) {
        const std::size_t count = read_some(STDIN_FILENO, buffer, deadline);
        state = count > 0 ? reader.add({buffer.data(), count}) : reader.finish();
    }
    return reader.fields();
}

bool lists(const std::string& field, const std::string& wanted) {
    auto list = mail::parse_address_list(mail::field_body(field));
    if (!list) return false;
    const auto addresses = mail::addresses_of(*list);
    return std::any_of(addresses.begin(), addresses.end(), [&](const mail::ListedAddress* address) {
        return equal_ignoring_case(address->address(), wanted);
    });
}

struct Request {
    bool asked = false;
    std::string message_id;  // the whole field with its line end, if there is one
};

Request find_request(const std::string& address, Deadline deadline) {
    Request request;
    for (const std::string& field : read_fields(deadline)) {
        const auto name = mail::field_name(field);
        if (!name) continue;
        if (equal_ignoring_case(*name, "Notice-Requested-Upon-Delivery-To") && lists(field, address))
            request.asked = true;
        if (equal_ignoring_case(*name, "Message-ID")) request.message_id = field;
    }
    return request;
}

std::string notice(const std::string& address, const std::string& sender, const Request& request) {
    const std::string host(mail::split_address(address).domain);
    const auto process = static_cast<std::uint64_t>(::getpid());
    std::string text = "Date: " + date_822(now_seconds()) +
                       "\nMessage-ID: " + mail::make_message_id(now_seconds(), process, host) +
                       "\nFrom: DELIVERY NOTICE SYSTEM <" + mail::quoted_address(address) + ">\nTo: <" +
                       mail::quoted_address(sender) +
                       ">\nSubject: success notice\nAuto-Submitted: auto-replied\n\n"
                       "Hi! This is the qreceipt program. Your message was delivered to the\n"
                       "following address: " +
                       address + ". Thanks for asking.\n";
    return text += request.message_id.empty() ? "" : "Your " + request.message_id;
}

int qreceipt(const Arguments& arguments) {
    if (arguments.size() != 1 || arguments[0].empty() || arguments[0].find('\n') != std::string::npos)
        throw_permanent("usage: qreceipt deliveryaddress");
    const std::string& address = arguments[0];
    const std::string sender = inject::required_variable("SENDER");
    const Deadline deadline = inject::submission_deadline();
    const Request request = find_request(address, deadline);
    if (!request.asked || mail::is_null_sender(sender)) return static_cast<int>(Exit::success);
    queue::Submission submission(control::Home::from_environment(), queue::Door::submit, deadline);
    submission.write(notice(address, sender, request));
    inject::finish(submission, "", {sender});
    log_line("qp " + std::to_string(submission.qp()));
    return static_cast<int>(Exit::success);
}

}  // namespace

int main(int argc, char** argv) {
    return relais::run_program("qreceipt", argc, argv, qreceipt);
}
