#include "auth/pam.h"

#include <grp.h>
#include <pwd.h>
#include <security/pam_appl.h>

#include <cstdlib>
#include <cstring>

#include "base/text.h"

namespace relais::auth {
namespace {

char* copy_for_pam(std::string_view text) {
    char* copy = static_cast<char*>(std::malloc(text.size() + 1));
    if (copy == nullptr) return nullptr;
    std::memcpy(copy, text.data(), text.size());
    copy[text.size()] = '\0';
    return copy;
}

// Answers a question whose answer must not be seen with the password; to every other kind of question there
// is no answer.
int converse(int count, const pam_message** messages, pam_response** responses, void* password) {
    if (count <= 0 || count > PAM_MAX_NUM_MSG) return PAM_CONV_ERR;
    auto* const all =
        static_cast<pam_response*>(std::calloc(static_cast<std::size_t>(count), sizeof(pam_response)));
    if (all == nullptr) return PAM_BUF_ERR;
    for (int i = 0; i < count; ++i) {
        const int style = messages[i]->msg_style;
        if (style == PAM_PROMPT_ECHO_OFF)
            all[i].resp = copy_for_pam(*static_cast<std::string_view*>(password));
        if (style != PAM_PROMPT_ECHO_ON && (style != PAM_PROMPT_ECHO_OFF || all[i].resp != nullptr)) continue;
        for (int k = 0; k < i; ++k) std::free(all[k].resp);
        std::free(all);
        return PAM_CONV_ERR;
    }
    *responses = all;
    return PAM_SUCCESS;
}

// qmail-authd delays the answer to a failure itself.
void no_delay(int, unsigned, void*) {}

bool is_refusal(int code) {
    switch (code) {
        case PAM_AUTH_ERR:
        case PAM_USER_UNKNOWN:
        case PAM_MAXTRIES:
        case PAM_PERM_DENIED:
        case PAM_ACCT_EXPIRED:
        case PAM_NEW_AUTHTOK_REQD:
        case PAM_CRED_EXPIRED:
        case PAM_AUTHTOK_EXPIRED:
            return true;
        default:
            return false;
    }
}

Answer describe(const std::string& user) {
    errno = 0;
    const passwd* const entry = ::getpwnam(user.c_str());
    if (entry == nullptr)
        return errno == 0 || errno == ENOENT ? answer_of(Result::refused, "no such system user")
                                             : answer_of(Result::temporary, "unable to look up the user");
    if (entry->pw_uid == 0) return answer_of(Result::refused, "logins as root are not taken");
    Answer answer;
    answer.result = Result::right;
    answer.name = entry->pw_name;
    answer.uid = entry->pw_uid;
    answer.gid = entry->pw_gid;
    answer.home = entry->pw_dir;
    answer.shell = entry->pw_shell;
    int count = 256;
    answer.groups.resize(static_cast<std::size_t>(count));
    if (::getgrouplist(entry->pw_name, entry->pw_gid, answer.groups.data(), &count) < 0)
        return answer_of(Result::temporary, "the user is in too many groups");
    answer.groups.resize(static_cast<std::size_t>(count));
    return answer;
}

}  // namespace

Answer ask_pam(const PamSettings& settings, const std::string& user, std::string_view password,
               std::string_view address) {
    const pam_conv conversation{converse, &password};
    pam_handle_t* handle = nullptr;
    const int started = settings.directory.empty()
                            ? ::pam_start(settings.service.c_str(), user.c_str(), &conversation, &handle)
                            : ::pam_start_confdir(settings.service.c_str(), user.c_str(), &conversation,
                                                  settings.directory.c_str(), &handle);
    if (started != PAM_SUCCESS) return answer_of(Result::temporary, "unable to start PAM");
    ::pam_set_item(handle, PAM_FAIL_DELAY, reinterpret_cast<const void*>(no_delay));
    ::pam_set_item(handle, PAM_RHOST, std::string(address).c_str());
    int code = ::pam_authenticate(handle, PAM_SILENT | PAM_DISALLOW_NULL_AUTHTOK);
    if (code == PAM_SUCCESS) code = ::pam_acct_mgmt(handle, PAM_SILENT);
    const std::string why = code == PAM_SUCCESS ? "" : "PAM: " + lower(::pam_strerror(handle, code));
    ::pam_end(handle, code);
    if (code == PAM_SUCCESS) return describe(user);
    return answer_of(is_refusal(code) ? Result::refused : Result::temporary, why);
}

}  // namespace relais::auth
