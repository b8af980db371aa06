#include "remote/no_server.h"

namespace relais::remote {

bool is_temporary(NoServer reason) {
    switch (reason) {
        case NoServer::unusable_route:
        case NoServer::route_unknown:
        case NoServer::dns_failed:
        case NoServer::wrong_family:
            return true;
        case NoServer::no_such_domain:
        case NoServer::null_mx:
        case NoServer::no_exchanger:
        case NoServer::private_exchanger:
        case NoServer::is_me:
            break;
    }
    return false;
}

Verdict verdict_of(const NoServerFound& found) {
    switch (found.reason) {
        case NoServer::unusable_route:
            return cannot_read_control(found.name);
        case NoServer::route_unknown:
            return {Letter::temporary,
                    "Sorry, I couldn't find the host " + found.name + " of " + found.more + ". (#4.1.2)\n"};
        case NoServer::no_such_domain:
            return no_such_host(found.name);
        case NoServer::null_mx:
            return takes_no_mail(found.name);
        case NoServer::dns_failed:
            return dns_failed();
        case NoServer::no_exchanger:
            break;
        case NoServer::private_exchanger:
            return private_exchanger(found.name, found.more);
        case NoServer::wrong_family:
            return wrong_family(found.name);
        case NoServer::is_me:
            return loops_back(found.more);
    }
    return no_exchanger();
}

}  // namespace relais::remote
