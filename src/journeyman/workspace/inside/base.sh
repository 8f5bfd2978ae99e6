# Make the empty workspace what sessions of COMMIT begin on: a checkout on no branch.
commit=$1
refs=$(mirrored)
git clone -q --shared --no-checkout --template= /mirror.git .
git checkout -q --detach "$commit"
sleep 1.1 # git does not trust its index about files that are as new as it
touch .git/index
echo "$refs" >.git/journeyman-base
mkdir -p .git/hooks
