#!/bin/bash
# Shows the plan of an environment on the pull request, in one comment that each new plan overwrites; `make plan-comment ENV=prod`.
# Needs GH_TOKEN and PULL_REQUEST. A comment holds 65,536 characters: of a longer plan the end is left out.
set -euo pipefail
environment=${1:?which environment?}
plan=build/deploy/$environment/plan.txt
mark="<!-- plan of $environment -->"
body=$(mktemp)
trap 'rm -f "$body"' EXIT
{
    printf '%s\n**Terraform, %s**: %s\n\n<details><summary>the plan</summary>\n\n```\n' "$mark" "$environment" \
        "$(grep -E '^(Plan:|No changes)' "$plan" | head -n 1)"
    head -c 60000 "$plan"
    printf '\n```\n</details>\n'
} >"$body"
id=$(gh api "repos/$GITHUB_REPOSITORY/issues/$PULL_REQUEST/comments" --paginate --jq ".[] | select(.body | startswith(\"$mark\")) | .id" | head -n 1)
if [ -n "$id" ]; then
    gh api --method PATCH "repos/$GITHUB_REPOSITORY/issues/comments/$id" --field "body=@$body" --silent
else
    gh api --method POST "repos/$GITHUB_REPOSITORY/issues/$PULL_REQUEST/comments" --field "body=@$body" --silent
fi
