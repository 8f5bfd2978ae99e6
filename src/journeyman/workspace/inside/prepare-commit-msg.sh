#!/bin/sh
# Adds for whom this work is done, and where its log is, to every commit that has a message.
grep -q '^[^#[:space:]]' "$1" || exit 0
exec git interpret-trailers --in-place --if-exists addIfDifferent @TRAILERS@ "$1"
