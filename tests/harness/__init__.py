"""What tests of whole programs are made of: instances, peers, clients, name servers."""
