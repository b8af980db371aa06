#include "remote/login_memory.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

namespace relais::remote {
namespace {

using State = LoginMemory::State;
using sasl::Mechanism;
constexpr std::int64_t now = 1'700'000'000;

TEST(LoginMemory, OneFindsOutAndTheOthersWait) {
    LoginMemory memory;
    EXPECT_EQ(memory.admit("a", now).state, State::free);
    EXPECT_EQ(memory.admit("a", now).state, State::busy);
    EXPECT_EQ(memory.admit("b", now).state, State::free);
    memory.note_nothing("a");
    EXPECT_EQ(memory.admit("a", now).state, State::free);
    memory.note_accepted("a", {}, now);
    for (int i = 0; i < 3; ++i) EXPECT_EQ(memory.admit("a", now).state, State::free);
}

TEST(LoginMemory, WhoFindsNothingOutHoldsNobodyUpForLong) {
    LoginMemory memory;
    memory.admit("a", now);
    EXPECT_EQ(memory.admit("a", now + 59).state, State::busy);
    EXPECT_EQ(memory.admit("a", now + 60).state, State::free);
    EXPECT_EQ(memory.admit("a", now - 1000).state, State::free);
}

TEST(LoginMemory, ARefusedOneRestsLongerEachTime) {
    LoginMemory memory;
    std::int64_t at = now;
    for (const int minutes : {5, 10, 20, 40, 60, 60}) {
        EXPECT_EQ(memory.admit("a", at).state, State::free);
        memory.note_refused("a", at);
        const auto admission = memory.admit("a", at + minutes * 60 - 1);
        EXPECT_EQ(admission.state, State::resting);
        EXPECT_EQ(admission.refused_at, at);
        EXPECT_EQ(admission.rests_until, at + minutes * 60);
        at += minutes * 60;
    }
    EXPECT_EQ(memory.admit("b", at).state, State::free);
    memory.note_accepted("a", {}, at);
    memory.note_refused("a", at);
    EXPECT_EQ(memory.admit("a", at).rests_until, at + 300);
    EXPECT_EQ(LoginMemory::rest(1'000'000).count(), 3600);
}

TEST(LoginMemory, RefusedAtTheSameTimeCountsOnce) {
    LoginMemory memory;
    memory.note_accepted("a", {}, now);
    for (int i = 0; i < 20; ++i) memory.note_refused("a", now + i);
    EXPECT_EQ(memory.admit("a", now + 20).rests_until, now + 300);
}

TEST(LoginMemory, AClockSetBackMakesNobodyRestForLonger) {
    LoginMemory memory;
    memory.note_refused("a", now);
    EXPECT_EQ(memory.admit("a", now - 86400).state, State::free);
}

TEST(LoginMemory, WhatWorkedGoesFirstForADay) {
    LoginMemory memory;
    memory.note_accepted("a", Mechanism::plain, now);
    EXPECT_EQ(memory.admit("a", now + 86399).first, Mechanism::plain);
    memory.note_accepted("a", {}, now + 10);
    EXPECT_EQ(memory.admit("a", now + 86399).first, Mechanism::plain);
    EXPECT_FALSE(memory.admit("a", now + 86400).first);
    memory.note_refused("a", now + 20);
    EXPECT_FALSE(memory.admit("a", now + 400).first);
}

TEST(LoginMemory, ManyProcessesLogInOnce) {
    LoginMemory memory;
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    for (int i = 0; i < 20; ++i) {
        if (::fork() != 0) continue;
        const char state = memory.admit("a", now).state == State::free ? 'f' : 'b';
        ::_exit(::write(ends[1], &state, 1) == 1 ? 0 : 1);
    }
    while (::wait(nullptr) > 0) continue;
    char states[20];
    ASSERT_EQ(::read(ends[0], states, sizeof states), 20);
    EXPECT_EQ(std::count(states, states + sizeof states, 'f'), 1);
    ::close(ends[0]);
    ::close(ends[1]);
}

}  // namespace
}  // namespace relais::remote
