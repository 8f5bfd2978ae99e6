# Print `same`, or `snapshot SHA HEAD TREE CHANGED_FILES` and then the bundle BASE..SHA, if any.
base=$1 last_head=$2 last_tree=$3
exec 3>&1 1>&2
export GIT_AUTHOR_NAME=Journeyman GIT_AUTHOR_EMAIL=journeyman@localhost
export GIT_COMMITTER_NAME=Journeyman GIT_COMMITTER_EMAIL=journeyman@localhost

head=$(git rev-parse -q --verify 'HEAD^{commit}') || head=$base
if [ -z "$last_tree" ]; then last_tree=$(git rev-parse "$base^{tree}"); fi
index=$PWD/.git/journeyman-index
export GIT_INDEX_FILE=$index

# Most turns change nothing: the index of the last snapshot tells so with one look at the files.
if [ "$head" = "$last_head" ] && [ -e "$index" ] && [ -e "$index.tree" ] &&
    [ "$(<"$index.tree")" = "$last_tree" ] &&
    [ -z "$(git ls-files --modified --deleted --others --exclude-standard | head -c 1)" ]; then
    echo same >&3
    exit
fi

rm -f "$index" "$index.lock" "$index.tree"
if [ -e .git/index ]; then cp -p .git/index "$index"; fi # -p: git compares its time with the files'
git -c advice.addEmbeddedRepo=false add -A --ignore-errors . ||
    echo "some files could not be kept" # unreadable, or a nested repository without a commit
tree=$(git write-tree)
echo "$tree" >"$index.tree"
if [ "$head" = "$last_head" ] && [ "$tree" = "$last_tree" ]; then
    echo same >&3
    exit
fi

sha=$head
if [ "$tree" != "$(git rev-parse "$head^{tree}")" ]; then
    sha=$(git commit-tree --no-gpg-sign -p "$head" -m Checkpoint "$tree")
fi
git update-ref refs/journeyman/checkpoint "$sha"
changed=$(git diff-tree -r --name-only --no-renames "$base" "$sha" | wc -l)
echo "snapshot $sha $head $tree $changed" >&3
if [ -n "$(git rev-list -n 1 "$sha" "^$base")" ]; then
    git bundle create -q --version=2 - refs/journeyman/checkpoint "^$base" >&3
fi
