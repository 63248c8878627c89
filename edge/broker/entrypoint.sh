#!/bin/sh
# Makes a password for each client that has none yet, and then is the broker.
set -eu
umask 077
for user in edge api simulator; do
  [ -s /secrets/$user ] || head -c 24 /dev/urandom | base64 | tr -d '\n' >/secrets/$user
done
rm -f /secrets/passwords
touch /secrets/passwords
for user in edge api simulator; do
  mosquitto_passwd -b /secrets/passwords $user "$(cat /secrets/$user)"
done
exec mosquitto -c /etc/kullager/mosquitto.conf
