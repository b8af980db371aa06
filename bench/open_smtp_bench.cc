// open_smtp_bench SECONDS ENTRIES PID: the load of bench/open_smtp_bench.py on the instance of $QMAILHOME,
// whose open-smtpd runs as process PID. Fills the store, then 64 writers log in (connect, channel, confirm,
// close) beside 64 readers who look up, then the same while all the entries of the beginning expire; at last
// the scheme that it replaces, a file under a lock and a cdb made anew for each login. Prints "NAME VALUE"
// lines. Exit code 1 when an update was lost.
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <mutex>
#include <random>
#include <thread>

#include "base/error.h"
#include "base/file.h"
#include "base/program.h"
#include "base/text.h"
#include "opensmtp/gate.h"
#include "opensmtp/protocol.h"
#include "opensmtp/vpopmail.h"

using namespace relais;

namespace {

using namespace std::chrono_literals;
using Micros = std::chrono::duration<double, std::micro>;

constexpr unsigned writers = 64;
constexpr unsigned readers = 64;
constexpr unsigned addresses_per_writer = 200;
constexpr auto reader_pause = 2ms;
constexpr auto old_scheme_time = 10s;

std::string client_of(unsigned number) {
    return "10." + std::to_string(number >> 16 & 255) + "." + std::to_string(number >> 8 & 255) + "." +
           std::to_string(number & 255);
}

std::string login_client(unsigned writer, unsigned n) {
    return "192.168." + std::to_string(writer) + "." + std::to_string(n % addresses_per_writer);
}

double percentile(std::vector<double>& values, double part) {
    if (values.empty()) return 0;
    const auto at =
        values.begin() + static_cast<std::ptrdiff_t>(part * static_cast<double>(values.size() - 1));
    std::nth_element(values.begin(), at, values.end());
    return *at;
}

void say(const char* name, double value) {
    std::printf("%s %.3f\n", name, value);
    std::fflush(stdout);
}

void fill(const control::Home& home, unsigned entries, std::int64_t wall) {
    opensmtp::OpenSmtpClient client(home, Deadline::in(10s));
    const auto begin = Clock::now();
    for (unsigned n = 0; n < entries;) {
        std::vector<opensmtp::Request> batch;
        for (; n < entries && batch.size() < 200; ++n)
            batch.push_back({opensmtp::Verb::import, client_of(n), "", "import", wall});
        client.ask(batch, Deadline::in(60s));
    }
    say("import_per_second", entries / std::chrono::duration<double>(Clock::now() - begin).count());
}

void log_in(const control::Home& home, const std::string& address, const std::string& user) {
    opensmtp::OpenSmtpClient client(home, Deadline::in(60s));
    client.ask({opensmtp::Verb::channel, address, "", "pop3"}, Deadline::in(60s));
    if (!client.ask({opensmtp::Verb::confirm, "", user}, Deadline::in(60s)).ok)
        throw_permanent("a login was refused");
}

struct Load {
    std::atomic<bool> stop = false;
    std::mutex mutex;
    std::vector<double> logins;  // microseconds each
    std::vector<double> look_ups;
    std::vector<unsigned> last = std::vector<unsigned>(writers);

    void write(const control::Home& home, unsigned writer) {
        std::vector<double> mine;
        unsigned n = 0;
        while (!stop) {
            const auto begin = Clock::now();
            log_in(home, login_client(writer, n), "user" + std::to_string(n));
            mine.push_back(Micros(Clock::now() - begin).count());
            ++n;
        }
        const std::lock_guard lock(mutex);
        last[writer] = n;
        logins.insert(logins.end(), mine.begin(), mine.end());
    }

    void read(const control::Home& home, unsigned entries, unsigned seed) {
        opensmtp::OpenSmtpGate gate(home);
        gate.refresh();
        std::mt19937 random(seed);
        std::vector<double> mine;
        while (!stop) {
            const std::string address = client_of(static_cast<unsigned>(random()) % entries);
            const auto begin = Clock::now();
            gate.find(address, opensmtp::Moment::now());
            mine.push_back(Micros(Clock::now() - begin).count());
            std::this_thread::sleep_for(reader_pause);
        }
        const std::lock_guard lock(mutex);
        look_ups.insert(look_ups.end(), mine.begin(), mine.end());
    }

    // Addresses whose entry is not that of their last login.
    unsigned lost(const control::Home& home) const {
        const opensmtp::OpenSmtpStore store(home);
        unsigned count = 0;
        for (unsigned writer = 0; writer < writers; ++writer) {
            const unsigned first =
                last[writer] > addresses_per_writer ? last[writer] - addresses_per_writer : 0;
            for (unsigned n = first; n < last[writer]; ++n) {
                const auto entry = store.look_up(login_client(writer, n));
                if (!entry || entry->user != "user" + std::to_string(n)) ++count;
            }
        }
        return count;
    }
};

// Microseconds of processor time of this process, and of another one (in ticks of the kernel).
double processor_time() {
    timespec time{};
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_nsec) / 1e3;
}
double processor_time(const std::string& pid) {
    const std::string text = read_file("/proc/" + pid + "/stat", 4096).value_or("");
    const auto fields = split(std::string_view(text).substr(text.rfind(')') + 2), ' ');
    const std::uint64_t ticks =
        parse_number(fields.at(11)).value_or(0) + parse_number(fields.at(12)).value_or(0);
    return static_cast<double>(ticks) * 1e6 / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

// One phase; meanwhile runs beside the load.
template <class Meanwhile>
unsigned phase(const control::Home& home, unsigned entries, const std::string& pid, const std::string& name,
               Meanwhile meanwhile) {
    Load load;
    const double server_before = processor_time(pid);
    const double own_before = processor_time();
    std::vector<std::thread> threads;
    const auto begin = Clock::now();
    for (unsigned n = 0; n < writers; ++n) threads.emplace_back([&, n] { load.write(home, n); });
    for (unsigned n = 0; n < readers; ++n) threads.emplace_back([&, n] { load.read(home, entries, n); });
    meanwhile();
    load.stop = true;
    const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
    for (std::thread& thread : threads) thread.join();
    say((name + "_logins_per_second").c_str(), static_cast<double>(load.logins.size()) / seconds);
    const auto logins = static_cast<double>(load.logins.size());
    say((name + "_server_cpu_us_per_login").c_str(), (processor_time(pid) - server_before) / logins);
    say((name + "_clients_cpu_us_per_login").c_str(), (processor_time() - own_before) / logins);
    say((name + "_login_median_us").c_str(), percentile(load.logins, 0.5));
    say((name + "_login_p99_us").c_str(), percentile(load.logins, 0.99));
    say((name + "_login_longest_us").c_str(), percentile(load.logins, 1));
    say((name + "_look_ups_per_second").c_str(), static_cast<double>(load.look_ups.size()) / seconds);
    say((name + "_look_up_median_us").c_str(), percentile(load.look_ups, 0.5));
    say((name + "_look_up_p99_us").c_str(), percentile(load.look_ups, 0.99));
    const unsigned lost = load.lost(home);
    say((name + "_lost_updates").c_str(), lost);
    return lost;
}

// What a login costs where all of them share one file and one lock: the file is written anew, and the cdb
// after it.
double old_scheme(const std::string& directory, unsigned entries) {
    std::string file;
    for (unsigned n = 0; n < entries; ++n)
        file += opensmtp::vpopmail_line(client_of(n), 1029581749 + n, true);
    replace_file(directory + "/open-smtp.old", file, 0644);
    const Fd lock(::open((directory + "/open-smtp.lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    unsigned logins = 0;
    const auto begin = Clock::now();
    while (Clock::now() - begin < old_scheme_time) {
        ::flock(lock.get(), LOCK_EX);
        std::string content = read_file(directory + "/open-smtp.old", std::size_t{1} << 28).value_or("");
        std::string next;
        const std::string address = login_client(1, logins);
        for (const std::string_view line : split(content, '\n'))
            if (!line.empty() && !line.starts_with(address + ":")) next += std::string(line) + "\n";
        next += opensmtp::vpopmail_line(address, 1129581749, true);
        // Without a sync, as it is done there.
        std::FILE* out = std::fopen((directory + "/open-smtp.old").c_str(), "w");
        if (out == nullptr || std::fwrite(next.data(), 1, next.size(), out) != next.size())
            throw_errno("write", directory);
        std::fclose(out);
        const std::string command = "cut -f1 " + directory + "/open-smtp.old | tcprules " + directory +
                                    "/old.cdb " + directory + "/old.tmp";
        if (std::system(command.c_str()) != 0) throw_permanent("tcprules failed");
        ::flock(lock.get(), LOCK_UN);
        ++logins;
    }
    return logins / std::chrono::duration<double>(Clock::now() - begin).count();
}

int work(const Arguments& arguments) {
    if (arguments.size() != 3) throw_permanent("usage: open_smtp_bench SECONDS ENTRIES PID");
    const auto home = control::Home::from_environment();
    const std::chrono::seconds seconds(parse_number(arguments[0]).value_or(10));
    const auto entries = static_cast<unsigned>(parse_number(arguments[1]).value_or(100000));
    fill(home, entries, opensmtp::Moment::now().wall - 600);
    unsigned lost =
        phase(home, entries, arguments[2], "steady", [&] { std::this_thread::sleep_for(seconds); });
    // Now all of them are too old, but not those that log in.
    replace_file(home.control_file("opensmtplifetime"), "600\n", 0644);
    lost += phase(home, entries, arguments[2], "expiring", [&] {
        opensmtp::OpenSmtpClient client(home, Deadline::in(10s));
        const auto begin = Clock::now();
        const auto answer = client.ask({.verb = opensmtp::Verb::expire}, Deadline::in(900s));
        say("expire_seconds", std::chrono::duration<double>(Clock::now() - begin).count());
        say("expired", static_cast<double>(parse_number(answer.text).value_or(0)));
        std::this_thread::sleep_until(begin + seconds);
    });
    say("old_scheme_logins_per_second", old_scheme(home.path("old"), entries));
    return lost == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
    return run_program("open_smtp_bench", argc, argv, work);
}
