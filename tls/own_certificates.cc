#include "tls/own_certificates.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>

#include "base/error.h"
#include "base/file.h"
#include "control/owners.h"
#include "control/setting.h"
#include "control/tool.h"
#include "tls/openssl.h"

namespace relais::tls {
namespace {

constexpr std::size_t size_limit = std::size_t{1} << 20;
constexpr int days_before_end = 14;

using BioPtr = std::unique_ptr<BIO, Release<BIO_free_all>>;

int no_passphrase(char*, int, int, void*) {
    return -1;
}

BioPtr view(const std::string& text) {
    return BioPtr(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

class Check {
  public:
    explicit Check(const control::Home& home) : home_(home) { initialise(); }

    // name: below control/, ending in .pem; host: what the certificate should be valid for.
    void look_at(const std::string& name, const std::string& host) {
        file_ = "control/" + name;
        try {
            const auto content = read_file(home_.control_file(name), size_limit);
            if (!content)
                return warn("it is missing: TLS is not offered (qmail-setup --repair " + home_.directory() +
                            " makes one that is signed by itself)" + another(host));
            const std::string key_name = name.substr(0, name.size() - 4) + ".key";
            auto key = read_file(home_.control_file(key_name), size_limit);
            check_key_mode(key ? key_name : name);
            check(*content, key ? *key : *content, host);
            if (key) OPENSSL_cleanse(key->data(), key->size());
        } catch (const Error& error) {
            if (error.number() == EACCES)
                return note("only root can look at it: " + std::string(control::run_as_root));
            warn(error.what() + another(host));
        }
    }
    std::vector<CertificateProblem> take() { return std::move(problems_); }

  private:
    void warn(std::string text) { problems_.push_back({file_, std::move(text), true}); }
    void note(std::string text) { problems_.push_back({file_, std::move(text), false}); }

    void check_key_mode(const std::string& name) {
        struct stat info {};
        if (::stat(home_.control_file(name).c_str(), &info) == 0 && (info.st_mode & 077) != 0)
            problems_.push_back(
                {"control/" + name,
                 "others than its owner can read the private key: chmod 600 " + home_.control_file(name),
                 true});
    }

    void check(const std::string& chain, const std::string& key_text, const std::string& host) {
        const BioPtr from = view(chain);
        const X509Ptr certificate(PEM_read_bio_X509(from.get(), nullptr, no_passphrase, nullptr));
        const BioPtr key_from = view(key_text);
        const KeyPtr key(PEM_read_bio_PrivateKey(key_from.get(), nullptr, no_passphrase, nullptr));
        const bool belongs = certificate && key && X509_check_private_key(certificate.get(), key.get()) == 1;
        ERR_clear_error();
        if (!certificate) return warn("there is no certificate in it" + another(host));
        if (!key)
            warn(
                "there is no private key without a passphrase in it, nor in a file of the same name with "
                ".key" +
                another(host));
        else if (!belongs)
            warn("the private key does not belong to the certificate" + another(host));
        check_end(certificate.get(), host);
        if (!host.empty() && X509_check_host(certificate.get(), host.c_str(), host.size(), 0, nullptr) != 1)
            warn("the certificate is not valid for the name " + host + another(host));
        if (X509_self_signed(certificate.get(), 0) == 1)
            note("the certificate is signed by itself: clients that check it will refuse it or ask" +
                 another(host));
        ERR_clear_error();
    }

    // What puts another one in. Where certbot keeps it only root may read it.
    std::string another(const std::string& host) const {
        const std::string path = home_.path(file_);
        if (is_of_one_user())
            return ": put one with its chain into " + path + ", and its private key, with mode 600, into " +
                   path.substr(0, path.rfind('.')) + ".key";
        const std::string live = "/etc/letsencrypt/live/" + (host.empty() ? "NAME" : host);
        return ": ln -sf " + live + "/fullchain.pem " + path + "; ln -sf " + live + "/privkey.pem " +
               path.substr(0, path.rfind('.')) + ".key";
    }

    bool is_of_one_user() const {
        try {
            return control::Owners::read_incomplete(home_).single();
        } catch (const Error&) {
            return false;
        }
    }

    void check_end(X509* certificate, const std::string& host) {
        int days = 0, seconds = 0;
        if (ASN1_TIME_diff(&days, &seconds, nullptr, X509_get0_notAfter(certificate)) != 1)
            return warn("it has no end" + another(host));
        if (days < 0 || seconds < 0)
            warn("the certificate has expired" + another(host));
        else if (days < days_before_end)
            warn("the certificate expires in " + std::to_string(days) + " days" + another(host));
    }

    const control::Home& home_;
    std::string file_;
    std::vector<CertificateProblem> problems_;
};

}  // namespace

std::vector<CertificateProblem> check_certificates(const control::Home& home) {
    Check check(home);
    check.look_at("servercert.pem", control::read<"me">(home));
    std::error_code ignored;
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(home.control_file("servercerts"), ignored))
        if (const std::string name = entry.path().filename(); name.ends_with(".pem") && name[0] != '.')
            names.push_back(name);
    std::sort(names.begin(), names.end());
    for (const std::string& name : names)
        check.look_at("servercerts/" + name, name.substr(0, name.size() - 4));
    return check.take();
}

}  // namespace relais::tls
