// The texts of run scripts and rules that a new instance gets. They are the administrator's from then on.
#pragma once

#include <string>

#include "setup/layout.h"

namespace relais::setup {

std::string send_script(const Plan& plan);
// The n-th tcpserver (n from 1), or our own listener on every address.
std::string smtpd_script(const Plan& plan, std::size_t number);
// file: "submissionlisten", or "submissionslisten" for TLS from the first octet.
std::string submission_script(const Plan& plan, const Listen& listen, const std::string& file,
                              std::size_t number);
// The n-th POP3 server (n from 1), with the steps that let who has logged in send, where they are installed.
// file: "pop3listen", or "pop3slisten" for TLS from the first octet.
std::string pop3d_script(const Plan& plan, const std::string& file, std::size_t number);
std::string log_script(const Plan& plan, const std::string& service);

std::string rules_text(const Plan& plan);
std::string rules6_text();

}  // namespace relais::setup
