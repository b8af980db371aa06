// What a power cut, or a call that fails, leaves of mailboxes at every step of a delivery; tests/seam has the
// model of the disk.
#include <fcntl.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>

#include "base/error.h"
#include "base/fd.h"
#include "base/sys.h"
#include "local/maildir.h"
#include "local/mbox.h"
#include "tests/seam/recorder.h"

namespace relais::local {
namespace {

namespace fs = std::filesystem;

const std::string head = "Return-Path: <a@far.test>\n";

std::string content(const fs::path& path) {
    std::ostringstream text;
    text << std::ifstream(path, std::ios::binary).rdbuf();
    return text.str();
}

std::vector<std::string> files(const fs::path& directory) {
    std::vector<std::string> found;
    for (const auto& entry : fs::directory_iterator(directory)) found.push_back(content(entry.path()));
    return found;
}

class PowerCut : public testing::Test {
  protected:
    void SetUp() override {
        for (fs::path* directory : {&live_, &left_}) {
            char name[] = "/tmp/power_cut_test.XXXXXX";
            *directory = ::mkdtemp(name);
            for (const char* part : {"tmp", "new", "cur"})
                fs::create_directories(*directory / "Maildir" / part);
        }
        const std::string path = live_ / "message";
        for (int i = 0; text_.size() < 150000; ++i) text_ += "line " + std::to_string(i) + "\n";
        std::ofstream(path, std::ios::binary) << text_;
        file_ = Fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    }
    void TearDown() override {
        fs::remove_all(live_);
        fs::remove_all(left_);
    }

    void to_maildir() const {
        deliver_to_maildir((live_ / "Maildir/").string(), head, Message(file_.get(), text_.size()));
    }
    // Three at once; returns how many were delivered.
    std::size_t batch_to_maildir() const {
        MaildirBatch batch;
        for (int i = 0; i < 3; ++i) {
            try {
                batch.add((live_ / "Maildir/").string(), head, Message(file_.get(), text_.size()));
            } catch (const Error& error) {
                EXPECT_EQ(error.reaction(), Reaction::temporary);
            }
        }
        std::size_t delivered = 0;
        for (const auto& error : batch.finish()) delivered += error ? 0 : 1;
        return delivered;
    }
    void to_mbox() const {
        deliver_to_mbox(live_ / "mbox", "From x\n", head, Message(file_.get(), text_.size()));
    }

    // Cuts the power after every step of the delivery, in every way; check hears whether it had been
    // reported.
    void at_every_cut(const std::function<void()>& deliver,
                      const std::function<void(bool delivered)>& check) {
        std::vector<seam::Step> steps;
        {
            seam::Recorder recorder;
            recorder.without_unnamed_files = !unnamed_;
            deliver();
            recorder.note("delivered");
            steps = recorder.steps();
        }
        seam::Disk disk;
        for (std::size_t k = 0; k < steps.size(); ++k) {
            disk.play(steps[k]);
            for (const seam::Cut& cut : seam::all_cuts()) {
                SCOPED_TRACE("after step " + std::to_string(k) + ": " + seam::describe(cut));
                disk.write_out(cut, live_, left_);
                check(k + 1 == steps.size());
                if (HasFailure()) return;
            }
        }
    }

    // Lets every call of the delivery fail in turn; check sees what is left each time.
    void at_every_failure(const std::function<void()>& deliver,
                          const std::function<void(bool delivered)>& check) {
        for (std::size_t n = 0;; ++n) {
            SCOPED_TRACE("call " + std::to_string(n) + " fails");
            bool delivered = true;
            seam::Recorder recorder;
            recorder.without_unnamed_files = !unnamed_;
            recorder.fail_call(n, ENOSPC);
            try {
                deliver();
            } catch (const Error& error) {
                EXPECT_EQ(error.reaction(), Reaction::temporary);
                delivered = false;
            }
            check(delivered);
            if (!recorder.failed() || HasFailure()) return;
        }
    }

    bool unnamed_ = true;  // as the disk has files without a name
    fs::path live_, left_;
    std::string text_;
    Fd file_;
};

// With and without files that have no name yet.
class MaildirPowerCut : public PowerCut, public testing::WithParamInterface<bool> {
  protected:
    MaildirPowerCut() { unnamed_ = GetParam(); }
};
INSTANTIATE_TEST_SUITE_P(Disks, MaildirPowerCut, testing::Bool());

TEST_P(MaildirPowerCut, WhatIsInAMaildirIsWholeAndWhatWasDeliveredIsThere) {
    at_every_cut([this] { to_maildir(); },
                 [this](bool delivered) {
                     const auto found = files(left_ / "Maildir/new");
                     ASSERT_TRUE(found.size() == 1 || (found.empty() && !delivered));
                     if (!found.empty()) {
                         EXPECT_TRUE(found[0] == head + text_);
                     }
                 });
}

TEST_P(MaildirPowerCut, AFailedMaildirDeliveryLeavesNothing) {
    std::size_t deliveries = 0;
    at_every_failure([this] { to_maildir(); },
                     [&](bool delivered) {
                         deliveries += delivered ? 1 : 0;
                         EXPECT_EQ(files(live_ / "Maildir/new").size(), deliveries);
                         // With names the last call of a delivery removes the one in tmp/; when that one
                         // fails it stays.
                         const std::size_t stays = deliveries > 0 && !unnamed_ ? 1 : 0;
                         EXPECT_EQ(files(live_ / "Maildir/tmp").size(), stays);
                     });
    // Once although the removal from tmp/ failed, or although there was no file without a name; once without
    // a failure.
    EXPECT_EQ(deliveries, 2U);
}

TEST_P(MaildirPowerCut, ABatchIsThereWhenItIsReported) {
    at_every_cut([this] { batch_to_maildir(); },
                 [this](bool delivered) {
                     const auto found = files(left_ / "Maildir/new");
                     ASSERT_TRUE(found.size() <= 3 && (found.size() == 3 || !delivered));
                     for (const std::string& text : found) {
                         EXPECT_TRUE(text == head + text_);
                     }
                 });
}

TEST_P(MaildirPowerCut, OfABatchNothingIsThereThatWasNotReported) {
    std::size_t deliveries = 0;
    for (std::size_t n = 0;; ++n) {
        SCOPED_TRACE("call " + std::to_string(n) + " fails");
        seam::Recorder recorder;
        recorder.without_unnamed_files = !unnamed_;
        recorder.fail_call(n, ENOSPC);
        deliveries += batch_to_maildir();
        EXPECT_EQ(files(live_ / "Maildir/new").size(), deliveries);
        if (!recorder.failed() || HasFailure()) break;
    }
    EXPECT_GT(deliveries, 3U);
}

TEST_P(MaildirPowerCut, AnErrorThatOnlyTheWriteBackTellsIsReported) {
    seam::Recorder recorder;
    recorder.without_unnamed_files = !unnamed_;
    recorder.without_write_back = true;
    EXPECT_EQ(batch_to_maildir(), 0U);
    EXPECT_TRUE(files(live_ / "Maildir/new").empty());
}

TEST_F(PowerCut, AnMboxKeepsWhatItHadAndWhatWasDelivered) {
    const std::string old = "From y\nold\n\n";
    const std::string added = "From x\n" + head + text_ + "\n";
    for (const bool existed : {true, false}) {
        fs::remove(live_ / "mbox");
        if (existed) std::ofstream(live_ / "mbox", std::ios::binary) << old;
        const std::string before = existed ? old : "";
        at_every_cut([this] { to_mbox(); },
                     [&](bool delivered) {
                         const std::string found = content(left_ / "mbox");
                         EXPECT_TRUE(found.starts_with(before));
                         if (delivered) {
                             EXPECT_TRUE(found == before + added);
                         }
                     });
    }
}

TEST_F(PowerCut, AFailedMboxDeliveryIsTakenBack) {
    std::ofstream(live_ / "mbox", std::ios::binary) << "From y\nold\n\n";
    std::string before = content(live_ / "mbox");
    at_every_failure([this] { to_mbox(); },
                     [&](bool delivered) {
                         if (delivered) return;
                         EXPECT_TRUE(content(live_ / "mbox") == before);
                     });
}

TEST_F(PowerCut, WhatComesAfterACutBeginsALineOfTheMbox) {
    const std::string added = "From x\n" + head + text_ + "\n";
    std::ofstream(live_ / "mbox", std::ios::binary) << "From y\nold\n\n";
    at_every_cut([this] { to_mbox(); },
                 [&](bool) {
                     const std::string before = content(left_ / "mbox");
                     deliver_to_mbox(left_ / "mbox", "From x\n", head, Message(file_.get(), text_.size()));
                     const std::string found = content(left_ / "mbox");
                     ASSERT_TRUE(found.starts_with(before) && found.ends_with(added));
                     const std::string_view above =
                         std::string_view(found).substr(0, found.size() - added.size());
                     EXPECT_TRUE(above.empty() || above.ends_with("\n\n"));
                 });
}

// Whoever made the file may have died before its directory was synced.
TEST_F(PowerCut, AnMboxThatAnotherDeliveryMadeHasItsNameForGood) {
    std::vector<seam::Step> steps;
    {
        seam::Recorder recorder;
        sys::close(sys::open((live_ / "mbox").c_str(), O_WRONLY | O_CREAT, 0600));
        to_mbox();
        steps = recorder.steps();
    }
    seam::Disk disk;
    for (const seam::Step& step : steps) disk.play(step);
    for (const seam::Cut& cut : seam::all_cuts()) {
        disk.write_out(cut, live_, left_);
        EXPECT_TRUE(content(left_ / "mbox").ends_with(text_ + "\n")) << seam::describe(cut);
    }
}

TEST_F(PowerCut, WithoutLocksAFailedMboxDeliveryTakesNothingBack) {
    std::ofstream(live_ / "mbox", std::ios::binary) << "From y\nold\n\n";
    for (std::size_t n = 0;; ++n) {
        seam::Recorder recorder;
        recorder.without_locks = true;
        recorder.fail_call(n, ENOSPC);
        try {
            to_mbox();
        } catch (const Error&) {
        }
        for (const seam::Step& step : recorder.steps()) EXPECT_NE(step.kind, seam::Step::Kind::truncate);
        if (!recorder.failed()) return;
    }
}

}  // namespace
}  // namespace relais::local
