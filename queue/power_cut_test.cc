// What a power cut, or a call that fails, leaves of the queue at every step of a message's life. The names of
// the states are those of docs/internals.md; tests/seam has the model of the disk.
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <functional>
#include <set>

#include "base/error.h"
#include "base/file.h"
#include "base/sys.h"
#include "queue/message_writer.h"
#include "queue/receive.h"
#include "queue/recovery.h"
#include "queue/store.h"
#include "queue/test_home.h"
#include "tests/seam/recorder.h"

namespace relais::queue {
namespace {

using Notes = std::set<std::string>;

class PowerCut : public testing::Test {
  protected:
    // Cuts the power after every step, in every way, lets qmail-queued recover and calls check with what had
    // been noted.
    void at_every_cut(const std::vector<seam::Step>& steps, const std::function<void(const Notes&)>& check) {
        seam::Disk disk;
        Notes notes;
        for (std::size_t k = 0; k <= steps.size(); ++k) {
            if (k > 0) {
                disk.play(steps[k - 1]);
                if (steps[k - 1].kind == seam::Step::Kind::note) notes.insert(steps[k - 1].path);
            }
            for (const seam::Cut& cut : seam::all_cuts()) {
                SCOPED_TRACE("after step " + std::to_string(k) + ": " + seam::describe(cut));
                disk.write_out(cut, home.directory(), after.directory());
                recover_messages(after, read_checkpoint(after));
                check(notes);
                if (HasFailure()) return;
            }
        }
    }

    MessageId accept(seam::Recorder& recorder, const MessageDirectories& directories, Ledger& ledger,
                     const std::string& body, std::size_t slot = 0) {
        MessageWriter writer(directories, ledger, slot);
        const MessageId id = writer.create();
        writer.add(body);
        finish(recorder, writer, id);
        return id;
    }
    void finish(seam::Recorder& recorder, MessageWriter& writer, MessageId id) {
        writer.finish({1, 0, Origin::user, "", {}}, encode_submitted_envelope("s@x", {"a@x", "b@x", "c@x"}));
        recorder.note("accepted " + std::to_string(id));
    }

    std::string body_of(const control::Home& where, const StoredMessage& message) {
        return read_file(message_path(where, message.id), std::size_t{1} << 24)
            .value()
            .substr(0, static_cast<std::size_t>(message.message_size));
    }
    // A file without a valid footer that nobody will ever remove.
    bool has_leftovers() {
        bool found = false;
        Store(after).scan([&](MessageId id) {
            const std::string content = read_file(message_path(after, id), std::size_t{1} << 24).value();
            found |= content.size() < footer_size ||
                     !decode_footer(std::string_view(content).substr(content.size() - footer_size),
                                    content.size());
            return !found;
        });
        return found;
    }

    TestHome live, left;
    control::Home home = live.home();
    control::Home after = left.home();
};

TEST_F(PowerCut, WhatWasAcceptedIsThereAndWholeAndNothingHalfStays) {
    std::map<MessageId, std::string> bodies;
    std::vector<seam::Step> steps;
    {
        seam::Recorder recorder;
        const MessageDirectories directories(home);
        Ledger ledger(4, 1000);
        const auto checkpoint = [&] { write_checkpoint(home, ledger.checkpoint()); };
        bodies[accept(recorder, directories, ledger, "first\n")] = "first\n";
        checkpoint();
        const std::string large(9000, 'L');
        MessageWriter slow(directories, ledger, 1);
        const MessageId slow_id = slow.create();
        slow.add(large);
        slow.flush();
        bodies[accept(recorder, directories, ledger, "second\n")] = "second\n";
        checkpoint();
        {
            MessageWriter abandoned(directories, ledger, 2);
            abandoned.create();
            abandoned.add("half a message");
            abandoned.flush();
        }
        checkpoint();
        slow.add(large);
        finish(recorder, slow, slow_id);
        bodies[slow_id] = large + large;
        checkpoint();
        bodies[accept(recorder, directories, ledger, "third\n")] = "third\n";
        checkpoint();
        steps = recorder.steps();
    }
    at_every_cut(steps, [&](const Notes& notes) {
        EXPECT_FALSE(has_leftovers());
        for (const auto& [id, body] : bodies) {
            if (!notes.contains("accepted " + std::to_string(id))) continue;
            StoredMessage message;
            ASSERT_EQ(Store(after).load(id, message, true), Load::whole) << id;
            EXPECT_EQ(body_of(after, message), body);
            EXPECT_EQ(message.envelope.recipients.size(), 3u);
            EXPECT_EQ(message.envelope.sender, "s@x");
        }
    });
}

TEST_F(PowerCut, ACutDuringTheRecoveryLosesNothingAndLeavesNothing) {
    MessageId id = 0;
    {
        seam::Recorder unused;
        const MessageDirectories directories(home);
        Ledger ledger(1, 1000);
        id = accept(unused, directories, ledger, "kept\n");
    }
    for (const MessageId half : {id + 1, id + 2, id + split_count}) {
        Fd fd(::open(message_path(home, half).c_str(), O_WRONLY | O_CREAT, 0600));
        ASSERT_EQ(::write(fd.get(), "half", 4), 4);
    }
    std::vector<seam::Step> steps;
    {
        seam::Recorder recorder;
        // Known before anything happens.
        sys::close(sys::open(message_path(home, id).c_str(), O_RDONLY));
        const Recovery recovery = recover_messages(home, 0);
        EXPECT_EQ(recovery.removed, 3u);
        write_checkpoint(home, recovery.highest + 1);
        steps = recorder.steps();
    }
    at_every_cut(steps, [&](const Notes&) {
        EXPECT_FALSE(has_leftovers());
        StoredMessage message;
        // Before its first step the recorder has not seen the file.
        if (std::filesystem::exists(message_path(after, id))) {
            EXPECT_EQ(Store(after).load(id, message, true), Load::whole);
        }
    });
}

TEST_F(PowerCut, WhatAKilledProcessWroteAndDidNotSyncIsSyncedBeforeTheCheckpointPassesIt) {
    MessageId id = 0;
    std::vector<seam::Step> steps;
    {
        seam::Recorder unused;
        const MessageDirectories directories(home);
        Ledger ledger(1, 1000);
        id = accept(unused, directories, ledger, std::string(2000, 'b'));
    }
    const std::string whole = read_file(message_path(home, id), 10000).value();
    {
        seam::Recorder recorder;
        const Fd fd(sys::open(message_path(home, id + 1).c_str(), O_WRONLY | O_CREAT, 0600));
        ASSERT_EQ(sys::write(fd.get(), whole.data(), whole.size()), static_cast<ssize_t>(whole.size()));
        const Recovery recovery = recover_messages(home, id + 1);
        EXPECT_EQ(recovery.kept, 1u);
        write_checkpoint(home, recovery.highest + 1);
        steps = recorder.steps();
    }
    at_every_cut(steps, [&](const Notes&) {
        if (read_checkpoint(after) <= id + 1) return;
        StoredMessage message;
        EXPECT_EQ(Store(after).load(id + 1, message, true), Load::whole);
    });
}

TEST_F(PowerCut, ManyFilesAreSyncedAtOnceBeforeTheCheckpointPassesThem) {
    MessageId id = 0;
    {
        seam::Recorder unused;
        const MessageDirectories directories(home);
        Ledger ledger(1, 1000);
        id = accept(unused, directories, ledger, std::string(2000, 'b'));
    }
    const std::string whole = read_file(message_path(home, id), 10000).value();
    std::vector<seam::Step> steps;
    {
        seam::Recorder recorder;
        for (const MessageId next : {id + 1, id + 2}) {
            const Fd fd(sys::open(message_path(home, next).c_str(), O_WRONLY | O_CREAT, 0600));
            ASSERT_EQ(sys::write(fd.get(), whole.data(), whole.size()), static_cast<ssize_t>(whole.size()));
        }
        const Fd half(sys::open(message_path(home, id + 3).c_str(), O_WRONLY | O_CREAT, 0600));
        ASSERT_EQ(sys::write(half.get(), "half", 4), 4);
        const Recovery recovery = recover_messages(home, id + 1, 2);
        EXPECT_EQ(recovery.kept, 2u);
        EXPECT_EQ(recovery.removed, 1u);
        write_checkpoint(home, recovery.highest + 1);
        steps = recorder.steps();
    }
    at_every_cut(steps, [&](const Notes&) {
        if (read_checkpoint(after) <= id + 1) return;
        EXPECT_FALSE(std::filesystem::exists(message_path(after, id + 3)));
        StoredMessage message;
        for (const MessageId next : {id + 1, id + 2})
            EXPECT_EQ(Store(after).load(next, message, true), Load::whole);
    });
}

TEST_F(PowerCut, EveryRecipientIsDeliveredStillToDoOrBounced) {
    // a is delivered, b deferred and then failed, c fails; one bounce for both; the message goes.
    MessageId id = 0;
    std::vector<seam::Step> steps;
    {
        seam::Recorder recorder;
        const MessageDirectories directories(home);
        Ledger ledger(1, 1000);
        id = accept(recorder, directories, ledger, "body\n");
        const Store store(home);
        StoredMessage message;
        ASSERT_EQ(store.load(id, message, true), Load::whole);
        auto& recipients = message.envelope.recipients;
        recorder.note("delivered a@x");
        store.mark(id, recipients[0], Mark::done, false);
        message.status = {false, false, 1, 2000000000, 1900000000, 0, "not now"};
        store.write_status(message);
        recorder.note("failed c@x");
        store.append_bounce(id, "<c@x>:\nno such user\n\n");
        store.mark(id, recipients[2], Mark::failed, true);
        recorder.note("failed b@x");
        store.append_bounce(id, "<b@x>:\ntoo long in the queue\n\n");
        store.mark(id, recipients[1], Mark::failed, true);
        recorder.note("bounce accepted");
        store.remove(id);
        steps = recorder.steps();
    }
    at_every_cut(steps, [&](const Notes& notes) {
        if (!notes.contains("accepted " + std::to_string(id))) return;
        StoredMessage message;
        const Load load = Store(after).load(id, message, true);
        const bool bounced = notes.contains("bounce accepted");
        if (load == Load::missing) {
            EXPECT_TRUE(bounced);
            return;
        }
        ASSERT_EQ(load, Load::whole);
        const std::string text = Store(after).read_bounce(id, 10000).value_or("");
        for (const Recipient& recipient : message.envelope.recipients) {
            if (recipient.mark == Mark::done) {
                EXPECT_TRUE(notes.contains("delivered " + recipient.address));
            }
            if (recipient.mark != Mark::failed) continue;
            EXPECT_TRUE(notes.contains("failed " + recipient.address));
            EXPECT_TRUE(bounced || text.find("<" + recipient.address + ">:") != std::string::npos);
        }
        EXPECT_TRUE(message.status.tries == 0 || message.status.last_error == "not now");
    });
}

// While another recipient is still open: first the marks, then the text.
TEST_F(PowerCut, AFailureThatIsMarkedHasItsTextUntilTheSenderHasBeenTold) {
    MessageId id = 0;
    std::vector<seam::Step> steps;
    {
        seam::Recorder recorder;
        const MessageDirectories directories(home);
        Ledger ledger(1, 1000);
        id = accept(recorder, directories, ledger, "body\n");
        const Store store(home);
        StoredMessage message;
        ASSERT_EQ(store.load(id, message, true), Load::whole);
        const std::vector<Recipient> failed = {message.envelope.recipients[0],
                                               message.envelope.recipients[2]};
        store.append_bounce(id, "<a@x>:\nno\n\n<c@x>:\nno\n\n");
        store.mark_all(id, failed, Mark::failed, true);
        recorder.note("told");
        store.mark_all(id, failed, Mark::done, true);
        store.remove_bounce(id);
        steps = recorder.steps();
    }
    at_every_cut(steps, [&](const Notes& notes) {
        if (!notes.contains("accepted " + std::to_string(id))) return;
        StoredMessage message;
        ASSERT_EQ(Store(after).load(id, message, true), Load::whole);
        const std::string text = Store(after).read_bounce(id, 10000).value_or("");
        EXPECT_EQ(message.envelope.recipients[1].mark, Mark::to_do);
        for (const std::size_t i : {0, 2}) {
            const Recipient& recipient = message.envelope.recipients[i];
            if (recipient.mark == Mark::failed) {
                EXPECT_NE(text.find("<" + recipient.address + ">:"), std::string::npos);
            }
            EXPECT_TRUE(recipient.mark != Mark::done || notes.contains("told"));
        }
    });
}

TEST_F(PowerCut, TheLastRecipientsDeliveryRemovesTheMessageAtOnce) {
    MessageId id = 0;
    std::vector<seam::Step> steps;
    {
        seam::Recorder recorder;
        const MessageDirectories directories(home);
        Ledger ledger(1, 1000);
        id = accept(recorder, directories, ledger, "body\n");
        recorder.note("delivered");
        Store(home).remove(id);
        steps = recorder.steps();
    }
    at_every_cut(steps, [&](const Notes& notes) {
        if (!notes.contains("accepted " + std::to_string(id))) return;
        StoredMessage message;
        const Load load = Store(after).load(id, message, true);
        EXPECT_TRUE(load == Load::whole || (load == Load::missing && notes.contains("delivered")));
    });
}

TEST_F(PowerCut, AnAppendThatDiedBeforeItsDirectoryWasSyncedIsMadeGoodByTheNext) {
    MessageId id = 0;
    std::vector<seam::Step> steps;
    {
        seam::Recorder recorder;
        const MessageDirectories directories(home);
        Ledger ledger(1, 1000);
        id = accept(recorder, directories, ledger, "body\n");
        const Store store(home);
        StoredMessage message;
        ASSERT_EQ(store.load(id, message, true), Load::whole);
        recorder.fail_call(4, EIO);  // open, fstat, pwrite, fsync, open of the directory
        EXPECT_THROW(store.append_bounce(id, "<a@x>:\nno\n\n"), Error);
        EXPECT_TRUE(recorder.failed());
        EXPECT_TRUE(store.read_bounce(id, 100));
        store.append_bounce(id, "<a@x>:\nno\n\n");
        store.mark(id, message.envelope.recipients[0], Mark::failed, true);
        recorder.note("marked");
        steps = recorder.steps();
    }
    at_every_cut(steps, [&](const Notes& notes) {
        EXPECT_TRUE(!notes.contains("marked") || Store(after).read_bounce(id, 100));
    });
}

TEST_F(PowerCut, ABounceTextIsNotHalfAppended) {
    seam::Recorder recorder;
    const Store store(home);
    store.append_bounce(77, "<a@x>:\nno\n\n");
    for (const int reason : {ENOSPC, EIO}) {
        recorder.fail_call(2, reason);  // open, fstat, pwrite
        EXPECT_THROW(store.append_bounce(77, "<b@x>:\nno\n\n"), Error);
        EXPECT_EQ(store.read_bounce(77, 100), "<a@x>:\nno\n\n");
    }
}

// Under an unreadable checkpoint nothing is removed, whatever the disk has made of it.
TEST_F(PowerCut, ACutWhileADamagedMessageIsPutAsideLosesNothing) {
    MessageId id = 0;
    {
        seam::Recorder unused;
        const MessageDirectories directories(home);
        Ledger ledger(1, 1000);
        id = accept(unused, directories, ledger, "kept\n");
    }
    const std::string path = message_path(home, id);
    const std::string content = read_file(path, 10000).value().substr(0, 40);
    std::vector<seam::Step> steps;
    {
        std::filesystem::resize_file(path, 40);
        seam::Recorder recorder;
        sys::close(sys::open(path.c_str(), O_RDONLY));
        const Recovery recovery = recover_messages(home, std::nullopt);
        EXPECT_EQ(recovery.damaged, 1u);
        EXPECT_EQ(recovery.removed, 0u);
        steps = recorder.steps();
    }
    seam::Disk disk;
    for (std::size_t k = 0; k < steps.size(); ++k) {
        disk.play(steps[k]);
        for (const seam::Cut& cut : seam::all_cuts()) {
            SCOPED_TRACE("after step " + std::to_string(k) + ": " + seam::describe(cut));
            disk.write_out(cut, home.directory(), after.directory());
            const auto in_place = read_file(message_path(after, id), 10000);
            const auto aside = read_file(damaged_path(after, id), 10000);
            EXPECT_TRUE(in_place == content || aside == content);
            if (HasFailure()) return;
        }
    }
}

class FailingCalls : public PowerCut {
  protected:
    // One submission through receive(), over a socket pair.
    SubmitAnswer submit(Ledger& ledger, const MessageDirectories& directories) {
        int ends[2];
        EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
        const Fd client(ends[0]), server(ends[1]);
        using namespace std::string_literals;
        const std::string submission = "\6\0\0\0body\n\n\0\0\0\0\x09\0\0\0Fs@x\0Ta\0\0"s + "\0\0\0\0"s;
        EXPECT_EQ(::send(client.get(), submission.data(), submission.size(), 0),
                  static_cast<ssize_t>(submission.size()));
        std::vector<char> buffer(65536);
        FrameReader input(server.get(), buffer);
        MessageWriter writer(directories, ledger, 0);
        const Deadline deadline = Deadline::in(Seconds(10));
        return receive(input, {}, writer, {deadline, Seconds(10)});
    }
};

TEST_F(FailingCalls, EachOneIsAnsweredAndLeavesNoFile) {
    for (const int reason : {EIO, ENOSPC}) {
        std::size_t n = 0;
        for (bool failed = true; failed; ++n) {
            seam::Recorder recorder;
            const MessageDirectories directories(home);
            Ledger ledger(1, 1000);
            recorder.fail_call(n, reason);
            const SubmitAnswer answer = submit(ledger, directories);
            failed = recorder.failed();
            SCOPED_TRACE("call " + std::to_string(n));
            EXPECT_EQ(answer.code, failed ? SubmitCode::write_error : SubmitCode::accepted);
            EXPECT_EQ(Store(home).count(), failed ? 0u : 1u);
            std::size_t syncs = 0;
            for (const seam::Step& step : recorder.steps()) syncs += step.kind == seam::Step::Kind::sync_file;
            EXPECT_LE(syncs, 1u);
            EXPECT_EQ(ledger.unfinished(0).id, 0u);
            recorder.fail_call(SIZE_MAX / 2, 0);
            if (!failed) Store(home).remove(answer.id);
        }
        // create, write, sync, sync the directory, look at it: none was overlooked.
        EXPECT_EQ(n, 7u);
    }
}

TEST_F(FailingCalls, AFileThatCannotBeRemovedHoldsTheCheckpointBack) {
    seam::Recorder recorder;
    const MessageDirectories directories(home);
    Ledger ledger(1, 1000);
    MessageId id = 0;
    {
        MessageWriter writer(directories, ledger, 0);
        id = writer.create();
        recorder.fail_call(0, EIO);  // the unlink
    }
    EXPECT_EQ(Store(home).count(), 1u);
    EXPECT_EQ(ledger.checkpoint(), id);
    accept(recorder, directories, ledger, "next");
    EXPECT_EQ(ledger.checkpoint(), id);
}

TEST_F(FailingCalls, AMessageThatGoesDuringRecoveryHoldsNothingBack) {
    seam::Recorder recorder;
    const MessageDirectories directories(home);
    Ledger ledger(1, 1000);
    const MessageId id = accept(recorder, directories, ledger, "body");
    for (const auto& [reason, left_behind] :
         {std::pair(ENOENT, Recovery().left_behind), std::pair(EIO, id)}) {
        recorder.fail_call(0, reason);  // its file is opened
        const Recovery recovery = recover_messages(home, 1);
        EXPECT_TRUE(recorder.failed());
        EXPECT_EQ(recovery.kept, 0u);
        EXPECT_EQ(recovery.left_behind, left_behind);
    }
}

TEST(SeamDisk, LosesWhatWasNotSyncedAndKeepsWhatWas) {
    // The model itself: without the sync of the directory, or of the file, something is lost.
    TestHome live, left;
    const std::string path = message_path(live.home(), 64), copy = message_path(left.home(), 64);
    seam::Recorder recorder;
    {
        const Fd fd(sys::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL, 0600));
        ASSERT_EQ(sys::write(fd.get(), "data", 4), 4);
        ASSERT_EQ(sys::fsync(fd.get()), 0);
    }
    seam::Disk disk;
    for (const seam::Step& step : recorder.steps()) disk.play(step);
    disk.write_out({seam::Cut::Names::lost, seam::Cut::Data::kept, 0}, live.home().directory(),
                   left.home().directory());
    EXPECT_FALSE(std::filesystem::exists(copy));
    disk.write_out({seam::Cut::Names::kept, seam::Cut::Data::lost, 0}, live.home().directory(),
                   left.home().directory());
    EXPECT_EQ(read_file(copy, 100), "data");
    const std::size_t done = recorder.steps().size();
    sync_directory(message_directory(live.home(), 0));
    {
        const Fd fd(sys::open(path.c_str(), O_WRONLY, 0));
        ASSERT_EQ(sys::pwrite(fd.get(), "DATA", 4, 0), 4);
    }
    for (std::size_t k = done; k < recorder.steps().size(); ++k) disk.play(recorder.steps()[k]);
    disk.write_out({seam::Cut::Names::lost, seam::Cut::Data::lost, 0}, live.home().directory(),
                   left.home().directory());
    EXPECT_EQ(read_file(copy, 100), "data");
}

}  // namespace
}  // namespace relais::queue
