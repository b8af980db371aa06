#include "send/slow_work.h"

#include <fmt/core.h>
#include <signal.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "base/error.h"
#include "base/io.h"
#include "base/process_title.h"
#include "base/program.h"
#include "base/text.h"
#include "base/time.h"
#include "control/setting.h"
#include "mail/automatic.h"
#include "queue/client.h"
#include "send/bounce.h"

namespace relais::send {
namespace {

// What one bounce tells about failed recipients.
constexpr std::size_t bounce_text_limit = std::size_t{16} << 20;
constexpr std::string_view more_failed = "There are more such addresses than one message can name.\n\n";
constexpr std::size_t length_octets = 4;
constexpr std::size_t header_limit = std::size_t{256} << 10;

void put_number(std::string& out, std::uint64_t value, std::size_t octets) {
    for (std::size_t i = 0; i < octets; ++i) out += static_cast<char>((value >> (8 * i)) & 0xff);
}

std::uint64_t number_at(std::string_view data, std::size_t at, std::size_t octets) {
    std::uint64_t value = 0;
    for (std::size_t i = octets; i-- > 0;) value = value << 8 | static_cast<unsigned char>(data[at + i]);
    return value;
}

std::string frame(std::string_view content) {
    std::string out;
    put_number(out, content.size(), length_octets);
    return out.append(content);
}

// Takes one whole frame off the front of data; nothing while it is not there yet.
std::optional<std::string> take_frame(std::string& data) {
    if (data.size() < length_octets) return std::nullopt;
    const std::size_t size = number_at(data, 0, length_octets);
    if (data.size() < length_octets + size) return std::nullopt;
    std::string content = data.substr(length_octets, size);
    data.erase(0, length_octets + size);
    return content;
}

[[noreturn]] void serve(int socket, const SlowWorker::Work& work) {
    std::array<char, length_octets> length{};
    while (read_exactly(socket, length, Deadline::never())) {
        const std::size_t size = number_at(std::string_view(length.data(), length.size()), 0, length_octets);
        if (size > slow_request_limit) break;
        std::string request(size, '\0');
        if (size > 0 && !read_exactly(socket, request, Deadline::never())) break;
        write_all(socket, frame(work(request)), Deadline::never());
    }
    ::_exit(0);
}

// What has been recorded of failures, and unrecorded after it.
std::string paragraphs_of(const queue::Store& store, const queue::StoredMessage& message,
                          const std::string& unrecorded) {
    if (auto text = store.read_bounce(message.id, bounce_text_limit); text && !text->empty()) {
        if (text->size() + unrecorded.size() < bounce_text_limit) return *text + unrecorded;
        const std::size_t end = text->rfind("\n\n");
        text->resize(end == std::string::npos ? 0 : end + 2);
        return text->append(more_failed);
    }
    std::string text;
    for (const queue::Recipient& recipient : message.envelope.recipients)
        if (recipient.mark == queue::Mark::failed)
            text += bounce_paragraph(recipient.address, "The reason for this failure has been lost.");
    return text + unrecorded;
}

void copy_message(queue::Submission& to, int from, std::uint64_t size, std::uint64_t limit) {
    const bool cut = limit != 0 && size > limit;
    std::vector<char> buffer(io_buffer_size);
    for (std::uint64_t left = cut ? limit : size; left > 0;) {
        const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(left, buffer.size()));
        const std::size_t count = read_some(from, std::span(buffer.data(), wanted), Deadline::never());
        if (count == 0) throw_errno("read", "the message to bounce", EIO);
        to.write({buffer.data(), count});
        left -= count;
    }
    if (cut) to.write(bounce_cut_note());
}

// Up to the empty line, as far as it is of a reasonable size; the descriptor's offset stays.
std::string header_of(int fd, std::uint64_t size) {
    std::string text(static_cast<std::size_t>(std::min<std::uint64_t>(size, header_limit)), '\0');
    const ssize_t count = ::pread(fd, text.data(), text.size(), 0);
    if (count < 0) throw_errno("read", "the message to report on");
    text.resize(static_cast<std::size_t>(count));
    if (text.starts_with('\n')) return {};
    const std::size_t end = text.find("\n\n");
    text.resize(end == std::string::npos ? text.rfind('\n') + 1 : end + 1);
    return text;
}

// Its sender is no person who waits for an answer.
bool is_of_a_list(std::string_view header) {
    const auto lines = split(header, '\n');
    return std::any_of(lines.begin(), lines.end(), mail::says_automatic);
}

std::string new_salt() {
    std::uint64_t number = 0;
    if (::getrandom(&number, sizeof number, 0) != sizeof number) number = now_microseconds();
    return fmt::format("{:016x}", number);
}

queue::SubmitAnswer submit_qsbmf(queue::Submission& submission, const BounceSettings& settings,
                                 const BounceEnvelope& envelope, const queue::StoredMessage& message,
                                 const std::string& paragraphs, const std::string& header, int copy) {
    submission.write(bounce_head(settings, envelope, message.envelope.sender, paragraphs, now_seconds()));
    if (message.envelope.options.requiretls)
        submission.write(header + std::string(bounce_cut_note()));
    else
        copy_message(submission, copy, message.message_size, settings.max_octets);
    return submission.finish(envelope.sender, {envelope.recipient});
}

queue::SubmitAnswer submit_parts(queue::Submission& submission, const BounceSettings& settings,
                                 const BounceEnvelope& envelope, const queue::StoredMessage& message,
                                 DeliveryReport& report, const std::string& header, int copy) {
    report.message = message.id;
    report.sender = message.envelope.sender;
    report.options = message.envelope.options;
    report.now = now_seconds();
    report.header_only = report.kind != ReportKind::failure || report.options.ret == mail::Ret::headers ||
                         report.options.requiretls ||
                         (settings.max_octets != 0 && message.message_size > settings.max_octets);
    submission.write(report_head(settings, envelope, report));
    if (report.header_only)
        submission.write(header);
    else
        copy_message(submission, copy, message.message_size, 0);
    submission.write(report_tail(settings, report));
    return submission.finish(envelope.sender, {envelope.recipient});
}

}  // namespace

std::string encode(const FailureRecord& record) {
    std::string out;
    put_number(out, record.message, 8);
    put_number(out, record.told ? 1 : 0, 1);
    put_number(out, record.recipients.size(), 4);
    for (const queue::Recipient& recipient : record.recipients) put_number(out, recipient.mark_offset, 8);
    return out.append(record.text);
}

std::optional<FailureRecord> decode_failure_record(std::string_view data) {
    constexpr std::size_t head = 13;
    if (data.size() < head) return std::nullopt;
    FailureRecord record;
    record.message = number_at(data, 0, 8);
    record.told = number_at(data, 8, 1) == 1;
    const std::size_t count = number_at(data, 9, 4);
    if (count > (data.size() - head) / 8) return std::nullopt;
    for (std::size_t i = 0; i < count; ++i)
        record.recipients.push_back({"", queue::Mark::to_do, number_at(data, head + 8 * i, 8)});
    record.text = data.substr(head + 8 * count);
    return record;
}

std::string record_failure(const queue::Store& store, const FailureRecord& record) {
    try {
        // The text for a message that somebody removed would stay for ever.
        static_cast<void>(store.open_for_delivery(record.message));
        if (record.told) {
            // In this order: an F without its text would be told without its reason.
            store.mark_all(record.message, record.recipients, queue::Mark::done, true);
            store.remove_bounce(record.message);
            return {};
        }
        store.append_bounce(record.message, record.text);
        store.mark_all(record.message, record.recipients, queue::Mark::failed, true);
        return {};
    } catch (const std::exception& error) {
        return error.what();
    }
}

BounceResult submit_report(const control::Home& home, const queue::Store& store, queue::MessageId id,
                           ReportKind kind, const std::string& text, Deadline deadline) {
    try {
        queue::StoredMessage message;
        if (store.load(id, message, false) != queue::Load::whole)
            return {BounceResult::Kind::trouble, 0, "the message cannot be read"};
        BounceSettings settings = BounceSettings::read(home);
        settings.salt = new_salt();
        const std::string& sender = message.envelope.sender;
        const auto envelope = bounce_envelope(settings, sender);
        const bool failure = kind == ReportKind::failure;
        if (!envelope || (!failure && envelope->is_double)) return {BounceResult::Kind::discarded, 0, {}};
        const Fd copy = store.open_for_delivery(id);
        const std::string header = header_of(copy.get(), message.message_size);
        if (kind == ReportKind::delay && is_of_a_list(header)) return {BounceResult::Kind::discarded, 0, {}};
        DeliveryReport report;
        report.kind = kind;
        report.text = parse_bounce_text(failure ? paragraphs_of(store, message, text) : text);
        report.expires = queue::beginning(message) + control::read<"queuelifetime">(home).count();
        queue::Submission submission(home, queue::Door::bounce, deadline, false);
        // RFC 8689, 5: what is told of such a message is protected as it was, and has only its header.
        mail::EnvelopeOptions options;
        options.requiretls = message.envelope.options.requiretls;
        if (options.requiretls) submission.begin({envelope->sender, {{envelope->recipient}}, options});
        const queue::SubmitAnswer answer =
            failure && settings.format == BounceFormat::qsbmf
                ? submit_qsbmf(submission, settings, *envelope, message, report.text.paragraphs, header,
                               copy.get())
                : submit_parts(submission, settings, *envelope, message, report, header, copy.get());
        if (answer.code == queue::SubmitCode::accepted) return {BounceResult::Kind::accepted, answer.id, {}};
        return {BounceResult::Kind::trouble, 0, queue::submit_text(answer.code, answer.text)};
    } catch (const std::exception& error) {
        return {BounceResult::Kind::trouble, 0, error.what()};
    }
}

SlowWorker::SlowWorker(std::string_view name, const std::vector<int>& unwanted,
                       const std::function<void()>& confine, const Work& work) {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        throw_errno("create", "a socket pair");
    socket_ = Fd(ends[0]);
    Fd theirs(ends[1]);
    const pid_t child = ::fork();
    if (child < 0) throw_errno("fork for", name);
    if (child > 0) {
        set_nonblocking(socket_.get(), true);
        return;
    }
    try {
        // killall -HUP qmail-send means the parent; the channels must close when the parent ends.
        for (const int number : {SIGHUP, SIGALRM, SIGTERM}) ::signal(number, SIG_IGN);
        socket_.reset();
        for (const int fd : unwanted) ::close(fd);
        set_process_title(name);
        confine();
        serve(theirs.get(), work);
    } catch (const std::exception& error) {
        log_line(std::string("alert: ") + std::string(name) + ": " + error.what());
    }
    ::_exit(111);
}

void SlowWorker::attach(EventLoop& loop, std::function<void(const std::string&)> on_answer,
                        std::function<void()> on_death) {
    loop_ = &loop;
    on_answer_ = std::move(on_answer);
    on_death_ = std::move(on_death);
    loop.add(socket_.get(), EPOLLIN, [this](std::uint32_t events) { exchange(events); });
}

void SlowWorker::ask(std::string_view request) {
    waiting_.emplace_back(request);
    give_out();
}

std::size_t SlowWorker::drop_waiting() {
    return std::exchange(waiting_, {}).size();
}

void SlowWorker::give_out() {
    for (; given_ < slow_requests_given && !waiting_.empty(); ++given_) {
        out_ += frame(waiting_.front());
        waiting_.pop_front();
    }
    write_out();
}

void SlowWorker::write_out() {
    while (out_sent_ < out_.size()) {
        const ssize_t count =
            ::send(socket_.get(), out_.data() + out_sent_, out_.size() - out_sent_, MSG_NOSIGNAL);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) break;  // full, or the child has gone: reading tells
        out_sent_ += static_cast<std::size_t>(count);
    }
    if (out_sent_ == out_.size()) {
        out_.clear();
        out_sent_ = 0;
    }
    if (waits_to_write_ == !out_.empty() || loop_ == nullptr) return;
    waits_to_write_ = !out_.empty();
    loop_->change(socket_.get(), waits_to_write_ ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

void SlowWorker::exchange(std::uint32_t events) {
    if ((events & EPOLLOUT) != 0) write_out();
    if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) == 0) return;
    std::array<char, io_buffer_size> buffer;
    const ssize_t count = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (count <= 0) {
        loop_->remove(socket_.get());
        return on_death_();
    }
    in_.append(buffer.data(), static_cast<std::size_t>(count));
    while (const auto answer = take_frame(in_)) {
        --given_;
        on_answer_(*answer);
    }
    give_out();
}

}  // namespace relais::send
