#include "queue/receive.h"

#include "base/error.h"
#include "base/program.h"
#include "base/time.h"

namespace relais::queue {
namespace {

bool is(const control::Owners& owners, control::Role role, uid_t uid) {
    return owners.of(role).uid == uid;
}

// A group of frames, handed on piece by piece.
class Group {
  public:
    Group(FrameReader& input, const Patience& patience) : input_(input), patience_(patience) {}

    // on_piece(piece) is false to stop; before_reuse() is called when pieces handed on so far are about to
    // go.
    template <class OnPiece, class BeforeReuse>
    FrameReader::Input read(const OnPiece& on_piece, const BeforeReuse& before_reuse) {
        for (;;) {
            const std::string_view piece = input_.take();
            if (!piece.empty()) {
                if (!on_piece(piece)) return FrameReader::Input::malformed;
                continue;
            }
            if (input_.malformed()) return FrameReader::Input::malformed;
            if (input_.group_ended()) break;
            if (input_.full()) {
                before_reuse();
                input_.rewind();
            }
            const auto state = input_.fill(earlier(patience_.all, Deadline::in(patience_.idle)));
            if (state != FrameReader::Input::more) return state;
        }
        input_.next_group();
        return FrameReader::Input::more;
    }

  private:
    FrameReader& input_;
    const Patience& patience_;
};

// An envelope on its way in: left where it lies while it is in one piece.
class IncomingEnvelope {
  public:
    bool add(std::string_view piece) {
        check_.feed(piece);
        octets_ += piece.size();
        if (octets_ == piece.size()) {
            single_ = piece;
        } else {
            keep();
            joined_ += piece;
        }
        return check_.problem() == SubmitCode::accepted && check_.consumed() == octets_;
    }
    void keep() {
        if (joined_.empty()) joined_ = single_;
    }
    std::string_view octets() const { return joined_.empty() ? single_ : joined_; }
    std::size_t recipients() const { return check_.recipients(); }
    SubmitCode problem() const {
        if (check_.problem() != SubmitCode::accepted) return check_.problem();
        return check_.complete() && check_.consumed() == octets_ ? SubmitCode::accepted
                                                                 : SubmitCode::bad_envelope;
    }

  private:
    EnvelopeCheck check_;
    std::size_t octets_ = 0;
    std::string_view single_;
    std::string joined_;
};

SubmitCode code_of(FrameReader::Input input) {
    switch (input) {
        case FrameReader::Input::more:
            return SubmitCode::accepted;
        case FrameReader::Input::ended:
            return SubmitCode::communication;
        case FrameReader::Input::timed_out:
            return SubmitCode::timed_out;
        case FrameReader::Input::malformed:
            break;
    }
    return SubmitCode::bug;
}

bool means_full(int error_number) {
    return error_number == ENOSPC || error_number == EDQUOT || error_number == EROFS || error_number == EIO;
}

// Reads the group of an extension. before_reuse: as Group::read has it.
template <class BeforeReuse>
SubmitCode read_extension(Group& group, std::string& extension, const BeforeReuse& before_reuse) {
    const auto state = group.read(
        [&](std::string_view piece) {
            extension += piece;
            return extension.size() <= mail::extension_limit;
        },
        before_reuse);
    return code_of(state);
}

// The steps of receive() that may throw Error for what the disk says.
SubmitAnswer receive_or_throw(FrameReader& input, const Caller& caller, MessageWriter& writer,
                              const Patience& patience, bool extended, const std::function<bool()>& is_full,
                              bool& created) {
    const MessageId id = writer.create();
    created = true;
    const std::string trace = trace_field(caller, id, now_seconds());
    writer.add(trace);
    Group group(input, patience);
    auto state = group.read(
        [&](std::string_view piece) {
            writer.add(piece);
            return true;
        },
        [&] {
            writer.flush();
            if (is_full && is_full())
                throw_errno("keep", "a message: control/queueminfree is reached", ENOSPC);
        });
    if (state != FrameReader::Input::more) return {code_of(state), 0, {}};

    IncomingEnvelope envelope;
    const auto keep = [&] {
        writer.flush();
        envelope.keep();
    };
    state = group.read([&](std::string_view piece) { return envelope.add(piece); }, keep);
    if (envelope.problem() != SubmitCode::accepted && code_of(state) != SubmitCode::communication &&
        code_of(state) != SubmitCode::timed_out)
        return {envelope.problem(), 0, {}};
    if (state != FrameReader::Input::more) return {code_of(state), 0, {}};
    std::optional<std::string> extension("");
    if (extended) {
        std::string said;
        if (const SubmitCode code = read_extension(group, said, keep); code != SubmitCode::accepted)
            return {code, 0, {}};
        extension = checked_extension(said, envelope.recipients(), caller);
        if (!extension) return {SubmitCode::bad_envelope, 0, {}};
    }
    writer.finish({caller.uid, caller.pid, caller.origin, {}, {}}, envelope.octets(), *extension);
    return {SubmitCode::accepted, id, {}};
}

}  // namespace

bool may_enter(const control::Owners& owners, Door door, const Peer& peer) {
    switch (door) {
        case Door::submit:
            return true;
        case Door::network:
            return peer.uid == 0 || is(owners, control::Role::qmaild, peer.uid);
        case Door::bounce:
            return peer.uid == 0 || is(owners, control::Role::qmails, peer.uid);
    }
    return false;
}

Caller caller_of(const control::Owners& owners, Door door, const Peer& peer, bool named_by_pid) {
    Caller caller{peer.uid, named_by_pid ? static_cast<std::uint32_t>(peer.pid) : 0, Origin::user, false};
    // Where all is one user, a $QMAILQUEUE program of qmail-smtpd's is nobody else.
    const bool of_server =
        is(owners, control::Role::qmaild, peer.uid) || is(owners, control::Role::qmailf, peer.uid);
    caller.tells_submitter = door == Door::network || of_server;
    if (door == Door::network) caller.origin = Origin::network;
    if (door == Door::bounce) caller.origin = Origin::bounce;
    if (door != Door::submit || owners.single()) return caller;
    if (of_server) caller.origin = Origin::network;
    if (is(owners, control::Role::qmails, peer.uid)) caller.origin = Origin::bounce;
    caller.is_alias = is(owners, control::Role::alias, peer.uid);
    return caller;
}

std::string trace_field(const Caller& caller, MessageId id, std::int64_t now) {
    std::string field = "Received: (qmail " + std::to_string(caller.pid != 0 ? caller.pid : id) + " invoked ";
    switch (caller.origin) {
        case Origin::network:
            field += "from network";
            break;
        case Origin::bounce:
            field += "for bounce";
            break;
        case Origin::user:
            field += caller.is_alias ? "by alias" : "by uid " + std::to_string(caller.uid);
            break;
    }
    return field + "); " + date_822(now) + "\n";
}

std::optional<std::string> checked_extension(std::string_view extension, std::size_t recipients,
                                             const Caller& caller) {
    auto decoded = mail::decode_extension(extension, recipients);
    if (!decoded) return std::nullopt;
    // Times and priorities are for those who may relay, which qmail-smtpd knows.
    if (!caller.tells_submitter) {
        decoded->options.session.clear();
        decoded->options.release = 0;
        decoded->options.deliver_by.reset();
        decoded->options.priority = 0;
    }
    using Kind = mail::Submitter::Kind;
    mail::Submitter& submitter = decoded->options.submitter;
    switch (submitter.kind) {
        case Kind::stranger:
        case Kind::login:
        case Kind::certificate:
        case Kind::rule:
        case Kind::open_smtp:
            if (!caller.tells_submitter) submitter = {};
            break;
        case Kind::forward:
            submitter = {caller.origin == Origin::user ? Kind::forward : Kind::unsaid};
            break;
        default:
            submitter = {};  // the socket says it
    }
    return mail::encode_extension(decoded->options, decoded->recipients);
}

SubmitAnswer receive(FrameReader& input, const Caller& caller, MessageWriter& writer,
                     const Patience& patience, bool extended, const std::function<bool()>& is_full) {
    bool created = false;
    try {
        return receive_or_throw(input, caller, writer, patience, extended, is_full, created);
    } catch (const Error& error) {
        log_line(std::string("warning: ") + error.what());
        const bool write_error = created || means_full(error.number());
        return {write_error ? SubmitCode::write_error : SubmitCode::cannot_create, 0, {}};
    }
}

}  // namespace relais::queue
