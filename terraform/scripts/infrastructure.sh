# Plans and applies Terraform. Sourced by deploy.sh, behind common.sh.
# shellcheck shell=bash disable=SC2154 # common.sh sets them

# The plan is shown, then applied as it was shown. Nothing to change: nothing is asked and nothing applied.
apply_infrastructure() {
    local status=0 arguments
    title 'infrastructure'
    mapfile -t arguments < <(terraform_variables)
    terraform_here plan -input=false -lock-timeout=5m -detailed-exitcode -out="$directory/plan.tfplan" "${arguments[@]}" || status=$?
    case $status in
    0) show 'nothing to change' ;;
    2)
        confirm 'Apply this plan?' || die 'the plan was not agreed to' 'nothing was changed'
        terraform_here apply -input=false -lock-timeout=5m "$directory/plan.tfplan" ||
            die 'terraform apply failed, see above' 'what was made stays; the next run goes on from there' \
                'RoleAssignmentExists, PrincipalNotFound, AuthorizationFailed: a new identity or role is not known everywhere yet: run it again'
        ;;
    *) die 'terraform plan failed, see above' ;;
    esac
    rm -f "$directory/plan.tfplan" # it holds what is sensitive in the plan
}
