#include "console/responses.h"

#include "console/front.h"
#include "console/html.h"

namespace relais::console {

std::vector<std::pair<std::string_view, std::string>> protection() {
    return {{"Content-Security-Policy",
             "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; "
             "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"},
            {"X-Frame-Options", "DENY"},
            {"X-Content-Type-Options", "nosniff"},
            {"Referrer-Policy", "same-origin"},
            {"Cross-Origin-Opener-Policy", "same-origin"},
            {"Cross-Origin-Resource-Policy", "same-origin"}};
}

http::Response html(int status, std::string body) {
    return {status, "text/html; charset=utf-8", std::move(body), protection()};
}

http::Response elsewhere(std::string_view path, const std::string& cookie) {
    http::Response response{303, "text/plain", "", protection()};
    response.fields.emplace_back("Location", std::string(path));
    if (!cookie.empty()) response.fields.emplace_back("Set-Cookie", cookie);
    return response;
}

std::string cookie_of(std::string_view value, bool encrypted) {
    return std::string(cookie_name) + "=" + std::string(value) + "; Path=/; HttpOnly; SameSite=Strict" +
           (encrypted ? "; Secure" : "") + (value.empty() ? "; Max-Age=0" : "");
}

http::Response page(const Answer& who, std::string_view title, std::string_view place, std::string body,
                    unsigned live) {
    return html(200, document({title, place, std::move(body), live}, &who));
}

int status_of(const Answer& answer) {
    switch (answer.status) {
        case Status::done:
            return 200;
        case Status::refused:
        case Status::login:
            return 403;
        case Status::wrong:
            return 400;
        case Status::busy:
            return 503;
        case Status::failed:
            break;
    }
    return 500;
}

http::Response page_or_trouble(const Answer& answer, std::string_view title, std::string_view place,
                               std::string body) {
    http::Response response = page(answer, title, place, std::move(body));
    response.status = status_of(answer);
    return response;
}

}  // namespace relais::console
