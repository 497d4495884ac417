#!/bin/sh
# What a CI pipeline does with zpki, in an empty directory: nobody to ask, the passphrase in a file, exit
# statuses and JSON. Three runs: one makes the PKI, one applies what was changed since, one finds nothing
# to do. Needs jq.
#
#     tests/pipeline.sh ZPKI

set -eu

zpki=$1
mkdir secrets
(umask 077 && printf 'correct horse battery staple\n' >secrets/ca)
export ZPKI_CA_PASSPHRASE_FILE=secrets/ca

# Runs zpki without a terminal; its exit status must be $1, and its JSON is in report.json.
run() {
    expected=$1
    shift
    status=0
    "$zpki" -C pki --output json "$@" </dev/null >report.json 2>stderr || status=$?
    [ "$status" = "$expected" ] || fail "zpki $*: status $status, not $expected: $(cat stderr)"
}

# What is true of the last report.
holds() {
    jq --exit-status "$1" report.json >/dev/null || fail "not so: $1: $(cat report.json)"
}

fail() {
    printf 'pipeline: error: %s\n' "$1" >&2
    exit 1
}

healthy() {
    run 0 plan --exit-code
    holds '.changed == false and .actions == []'
    run 0 check
    holds '.status == "ok"'
    run 0 expiry
    holds '.status == "ok" and .summary.certificates == '"$1"
    run 0 list
    holds '[.entries[].certificate.status] | unique == ["valid"]'
}

first() {
    cat >zpki.toml <<'END'
[cluster]
name = "ci"

[load_balancer]
hosts = ["lb.ci.internal"]
client_certificate = "required"

[revocation]
enabled = true

[[servers]]
name = "server1"
address = "10.0.0.1:17010"
hosts = ["server1.ci.internal"]
END
    run 0 init --config zpki.toml
    holds '.schema == 1 and .changed and .caKeyEncrypted'
    holds '[.certificates[].name] == ["ca", "load-balancer", "server1"]'
    healthy 3
}

second() {
    sed -i 's/"server1.ci.internal"/"server1.ci.internal", "10.0.0.1"/' pki/zpki.toml
    run 0 server add server2=10.0.0.2:17010,server2.ci.internal
    holds '.changed and ([.certificates[].name] | contains(["server2"]))'
    sed -i 's/"lb.ci.internal"/"lb.ci.internal", "www.ci.internal"/' pki/zpki.toml
    run 10 plan --exit-code
    holds '.changed == false'
    holds '[.actions[] | select(.action == "renew").name] | contains(["load-balancer"])'
    run 10 apply --exit-code
    holds '.changed and ([.certificates[].name] | contains(["load-balancer"]))'
    healthy 4

    run 0 renew
    holds '.changed == false'
    run 0 renew server1 --force
    holds '.changed and .certificates[0].hosts == ["server1.ci.internal", "10.0.0.1"]'
    run 0 revoke server1 --superseded --reason superseded
    holds '.changed'
    run 0 revoke server1 --superseded --reason superseded
    holds '.changed == false'
    printf 'name,role,hosts\napp1,client,app1.ci.internal\napp2,client,app2.ci.internal\n' >orders.csv
    run 0 issue --from orders.csv
    holds '.changed and ([.certificates[].issued] == [true, true])'
    run 0 issue --from orders.csv
    holds '.changed == false'
}

third() {
    healthy 6
    run 0 apply --exit-code
    holds '.changed == false and .certificates == []'
    run 0 log
    holds '[.events[].action] | contains(["issue", "renew", "revoke"])'
    # Without the passphrase: all that signs nothing works, and what signs says how to give it.
    unset ZPKI_CA_PASSPHRASE_FILE
    healthy 6
    run 0 apply
    run 64 renew --all --force
    [ ! -s report.json ] || fail 'a refusal writes no report'
    grep -q -- --ca-passphrase-file stderr || fail "no hint: $(cat stderr)"
}

first
second
third
