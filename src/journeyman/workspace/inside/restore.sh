# Make the workspace what it was at a snapshot. The bundle, if any, comes on standard input.
sha=$1 head=$2 branch=$3
rm -f .git/index.lock .git/HEAD.lock
cat >.git/journeyman-bundle
if [ -s .git/journeyman-bundle ]; then
    git fetch -q --no-tags --no-write-fetch-head --no-recurse-submodules .git/journeyman-bundle \
        +refs/journeyman/checkpoint:refs/journeyman/checkpoint
fi
rm .git/journeyman-bundle
for unfinished in rebase merge cherry-pick am; do git "$unfinished" --quit >/dev/null 2>&1 || :; done
git read-tree --reset -u "$sha"
git clean -ffdq
git symbolic-ref HEAD "refs/heads/$branch"
git update-ref "refs/heads/$branch" "$head"
git reset -q
