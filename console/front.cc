#include "console/front.h"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "auth/failures.h"
#include "base/io.h"
#include "base/program.h"
#include "base/text.h"
#include "base/unix_socket.h"
#include "console/pages.h"
#include "console/responses.h"

namespace relais::console {
namespace {

constexpr std::size_t most_fields = most_messages + 50;
constexpr std::size_t most_questions = 32;
// Logins that are being looked at, or whose refusal is held back. They take no place of others' questions.
constexpr std::size_t most_logins = 40;
constexpr unsigned live_seconds = 5;
constexpr http::ServerLimits limits{.clients = 64,
                                    .time = std::chrono::milliseconds(10'000),
                                    .answer_time = std::chrono::milliseconds(130'000),
                                    .body = std::size_t{64} << 10,
                                    .stream_time = std::chrono::minutes(10),
                                    .per_second = 25};

bool is_act(std::string_view word) {
    return std::find(std::begin(acts), std::end(acts), word) != std::end(acts);
}

}  // namespace

Front::Front(EventLoop& loop, const std::vector<int>& listening, Fd channel, control::Home home,
             FrontSettings settings)
    : loop_(loop),
      channel_(std::move(channel)),
      settings_(std::move(settings)),
      samples_(loop, home),
      server_(
          loop, listening, [this](Id id, const http::Request& request) { handle(id, request); }, limits,
          [this](std::string_view peer, const http::Request& request) {
              std::string client = client_of(settings_, peer, request);
              std::string counted = auth::client_of(client);
              return http::Server::Name{std::move(client), std::move(counted)};
          }),
      listeners_(loop, server_, std::move(home)) {
    set_nonblocking(channel_.get(), true);
    loop_.add(channel_.get(), EPOLLIN, [this](std::uint32_t events) { on_channel(events); });
}

void Front::show(Id client, int status, std::string_view title, std::string body) {
    server_.answer(client, html(status, document({title, "", std::move(body)}, nullptr)));
}

// What is wrong before anything is looked at.
bool Front::is_refused(Id client, const http::Request& request) {
    const std::string host = lower(request.field("host"));
    if (!settings_.hosts.contains(host)) {
        server_.answer(client, {421, "text/plain; charset=utf-8",
                                "This name is not one of control/consolehosts.\n", protection()});
        return true;
    }
    if (request.method != "GET" && request.method != "HEAD" && request.method != "POST") {
        server_.answer(
            client,
            {405, "text/plain", "only GET, HEAD and POST are known here\n", {{"Allow", "GET, HEAD, POST"}}});
        return true;
    }
    if (request.method != "POST") return false;
    const std::string_view site = request.field("sec-fetch-site");
    if (!is_own_origin(request.field("origin"), host) || (!site.empty() && site != "same-origin")) {
        show(client, 403, "Refused", element("p", "This did not come from a page of this console."));
        return true;
    }
    if (starts_ignoring_case(request.field("content-type"), "application/x-www-form-urlencoded"))
        return false;
    show(client, 400, "Refused", element("p", "This is no form."));
    return true;
}

void Front::handle(Id client, const http::Request& request) {
    if (is_refused(client, request)) return;
    const bool posted = request.method == "POST";
    auto form = http::parse_form(posted ? request.body : request.query, most_fields);
    if (!form) return show(client, 400, "Refused", element("p", "This form cannot be read."));
    const Visit visit{client,
                      std::string(request.path),
                      *std::move(form),
                      std::string(http::cookie(request, cookie_name)),
                      !request.field("x-relais-live").empty(),
                      request.field("origin").starts_with("https://")};
    if (posted)
        post(visit);
    else
        get(visit);
}

void Front::get(const Visit& visit) {
    const auto file = [&](std::string_view type, std::string_view content) {
        server_.answer(visit.client, {200, type, std::string(content), protection()});
    };
    if (visit.path == "/style.css") return file("text/css; charset=utf-8", style_sheet);
    if (visit.path == "/live.js") return file("text/javascript; charset=utf-8", live_script);
    if (visit.path == "/login")
        return show(visit.client, 200, "Log in", login_body(http::value_of(visit.form, "once"), ""));
    if (visit.path == "/events") return listen(visit);
    const http::Form& form = visit.form;
    if (visit.path == "/")
        return ask(visit,
                   {question(visit, Verb::doctor, {}), question(visit, Verb::queue, {"", "", "", "", ""})},
                   [this](const Answers& all) {
                       return page(all[1], "Now", "/", now_body(all[0], all[1], samples_), live_seconds);
                   });
    if (visit.path == "/queue")
        return ask(visit, {question(visit, Verb::queue, filter_of(form))}, [form](const Answers& all) {
            http::Response response = page(all[0], "Queue", "/queue", queue_body(all[0], form), live_seconds);
            response.status = status_of(all[0]);
            return response;
        });
    if (visit.path == "/message") {
        const std::string id(trim(http::value_of(form, "id")));
        return ask(visit, {question(visit, Verb::message, {id}), question(visit, Verb::detail, {id})},
                   [id](const Answers& all) {
                       http::Response response = page(all[1], "Message " + id.substr(0, 20), "/message",
                                                      message_body(id, all[0], all[1]), live_seconds);
                       response.status = status_of(all[1]);
                       return response;
                   });
    }
    show_list(visit);
}

// The session is looked at when the stream begins; every page that is asked for then has its own look.
void Front::listen(const Visit& visit) {
    Visit live = visit;
    live.live = true;
    ask(live, {question(live, Verb::hello, {})}, [this](const Answers& all) {
        if (all[0].status == Status::done && !listeners_.full()) return event_stream();
        return http::Response{all[0].status == Status::done ? 503 : status_of(all[0]), "text/plain"};
    });
}

void Front::show_list(const Visit& visit) {
    const http::Form& form = visit.form;
    const auto value = [&](std::string_view name) { return std::string(trim(http::value_of(form, name))); };
    if (visit.path == "/destinations")
        return ask(visit, {question(visit, Verb::destinations, {}), question(visit, Verb::sender, {})},
                   [](const Answers& all) {
                       return page_or_trouble(all[0], "Destinations", "/destinations",
                                              destinations_body(all[0], all[1]));
                   });
    if (visit.path == "/people")
        return ask(visit,
                   {question(visit, Verb::people, {}), question(visit, Verb::open, {}),
                    question(visit, Verb::held, {})},
                   [](const Answers& all) {
                       return page_or_trouble(all[0], "People", "/people",
                                              people_body(all[0], all[1], all[2]));
                   });
    if (visit.path == "/refusals")
        return ask(visit, {question(visit, Verb::refusals, {value("client"), value("cause")})},
                   [form](const Answers& all) {
                       return page_or_trouble(all[0], "Refusals", "/refusals", refusals_body(all[0], form));
                   });
    if (visit.path == "/settings")
        return ask(visit, {question(visit, Verb::settings, {})}, [](const Answers& all) {
            return page_or_trouble(all[0], "Settings", "/settings", settings_body(all[0]));
        });
    if (visit.path != "/who")
        return show(visit.client, 404, "Not here", element("p", "There is no such page.") + link("/", "Now"));
    const bool asked = !value("client").empty() || !value("address").empty();
    // Without a question a small one is asked all the same: who is there.
    const Question question_asked =
        !value("client").empty()
            ? question(visit, Verb::relay, {value("client"), value("sender"), value("recipient")})
        : asked ? question(visit, Verb::route, {value("address")})
                : question(visit, Verb::hello, {});
    ask(visit, {question_asked}, [form, asked](const Answers& all) {
        return page_or_trouble(all[0], "Who may?", "/who", who_body(form, asked ? &all[0] : nullptr));
    });
}

void Front::post(const Visit& visit) {
    if (visit.path == "/login") return log_in(visit);
    if (visit.path == "/queue/act") return act(visit);
    if (visit.path == "/people/act")
        return ask(visit,
                   {question(visit, Verb::person,
                             {std::string(http::value_of(visit.form, "act")),
                              std::string(http::value_of(visit.form, "whom"))})},
                   [](const Answers& all) {
                       return page_or_trouble(all[0], "People", "/people", person_body(all[0]));
                   });
    if (visit.path == "/logout")
        return ask(visit, {question(visit, Verb::logout, {std::string(http::value_of(visit.form, "where"))})},
                   [](const Answers& all) {
                       return all[0].status == Status::done
                                  ? elsewhere("/login", cookie_of(""))
                                  : page_or_trouble(all[0], "Log out", "", element("p", trouble_of(all[0])));
                   });
    show(visit.client, 404, "Not here", element("p", "There is no such page.") + link("/", "Now"));
}

void Front::log_in(const Visit& visit) {
    const std::string once(http::value_of(visit.form, "once"));
    Visit stranger = visit;
    stranger.session.clear();
    const Question asked = once.empty() ? question(stranger, Verb::login,
                                                   {std::string(trim(http::value_of(visit.form, "name"))),
                                                    std::string(http::value_of(visit.form, "password"))})
                                        : question(stranger, Verb::once, {once});
    ask(stranger, {asked}, [encrypted = visit.encrypted](const Answers& all) {
        if (all[0].status == Status::done) return elsewhere("/", cookie_of(all[0].token, encrypted));
        return html(status_of(all[0]), document({"Log in", "", login_body("", trouble_of(all[0]))}, nullptr));
    });
}

// What destroys, and what is done to all that match, is shown before it is done.
void Front::act(const Visit& visit) {
    const std::string act(http::value_of(visit.form, "act"));
    if (!is_act(act)) return show(visit.client, 400, "Refused", element("p", "There is no such act."));
    Fields ids;
    for (const auto& [name, value] : visit.form)
        if (name == "id") ids.push_back(value);
    const bool all_matching = http::value_of(visit.form, "on") == "all";
    const bool destroys = act == "delete" || act == "bounce";
    const bool confirmed = http::value_of(visit.form, "confirmed") == "1";
    if (ids.empty() && !all_matching)
        return show(visit.client, 400, "Nothing is marked",
                    element("p", "Mark messages first.") + link("/queue", "Back to the queue"));
    const std::string title = act + "?";
    if (all_matching || (destroys && !confirmed)) {
        const Question asked = all_matching ? question(visit, Verb::matching, filter_of(visit.form))
                                            : question(visit, Verb::named, ids);
        return ask(visit, {asked}, [act, title](const Answers& all) {
            const std::string trouble = trouble_of(all[0]);
            return page_or_trouble(
                all[0], title, "/queue",
                trouble.empty() ? confirm_body(all[0], act) : element("p", trouble, "notice"));
        });
    }
    Fields arguments = {act};
    arguments.insert(arguments.end(), ids.begin(), ids.end());
    ask(visit, {question(visit, Verb::act, arguments)}, [act](const Answers& all) {
        return page_or_trouble(all[0], act, "/queue", result_body(all[0], act));
    });
}

Question Front::question(const Visit& visit, Verb verb, Fields arguments) const {
    Question question;
    question.verb = verb;
    question.session = visit.session;
    question.live = visit.live;
    question.token = std::string(http::value_of(visit.form, "token"));
    question.client = server_.client(visit.client);
    question.arguments = std::move(arguments);
    return question;
}

void Front::ask(const Visit& visit, std::vector<Question> questions, Render render) {
    const bool login = !row_of(questions[0].verb).session;
    if (login ? logins_ >= most_logins : asked_.size() - logins_ + questions.size() > most_questions)
        return show(visit.client, 503, "Busy", element("p", "Too much is being asked at once: try again."));
    for (const Question& each : questions)
        if (const std::string fault = fault_of(each); !fault.empty())
            return show(visit.client, 400, "Refused", element("p", fault));
    const auto batch = std::make_shared<Batch>(
        Batch{visit.client, Answers(questions.size()), questions.size(), std::move(render), login});
    if (login) ++logins_;
    for (std::size_t i = 0; i < questions.size(); ++i) {
        questions[i].id = next_question_++;
        asked_[questions[i].id] = {batch, i};
        output_ += encode(questions[i]);
    }
    flush();
}

void Front::on_channel(std::uint32_t events) {
    if ((events & ~static_cast<std::uint32_t>(EPOLLOUT)) != 0) {
        std::array<char, io_buffer_size> buffer;
        const ssize_t size = ::recv(channel_.get(), buffer.data(), buffer.size(), 0);
        if (size == 0 || (size < 0 && errno != EAGAIN && errno != EINTR)) return loop_.stop();
        if (size > 0) input_.append(buffer.data(), static_cast<std::size_t>(size));
    }
    bool broken = false;
    while (const auto fields = take_frame(input_, frame_limit, broken)) {
        auto answer = decode_answer(*fields);
        if (!answer) return loop_.stop();
        take(*std::move(answer));
    }
    if (broken) return loop_.stop();
    flush();
}

void Front::take(Answer answer) {
    const auto found = asked_.find(answer.id);
    if (found == asked_.end()) return;
    const auto [batch, place] = found->second;
    asked_.erase(found);
    if (batch->login) --logins_;
    batch->answers[place] = std::move(answer);
    if (--batch->left > 0) return;
    for (const Answer& each : batch->answers)
        if (each.status == Status::login)
            return server_.answer(batch->client, elsewhere("/login", cookie_of("")));
    server_.answer(batch->client, batch->render(batch->answers));
    if (server_.streams(batch->client)) listeners_.add(batch->client);
}

void Front::flush() {
    if (!send_pending(channel_.get(), output_)) return loop_.stop();
    loop_.change(channel_.get(), output_.empty() ? EPOLLIN : EPOLLIN | EPOLLOUT);
}

}  // namespace relais::console
