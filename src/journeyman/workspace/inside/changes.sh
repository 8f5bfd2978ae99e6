# Print what the commits since BASE changed in numbers, NUL, and `SHA SUBJECT` of the newest, each with NUL.
base=$1 count=$2
git diff --shortstat --no-ext-diff --no-textconv "$base" HEAD
printf '\0'
git log -z -n "$count" --no-show-signature --format='%H %s' "$base..HEAD"
