{{/* Names begin with the release's where that tells jobgate from something else. */}}
{{- define "jobgate.name" -}}
{{- if contains "jobgate" .Release.Name }}{{ .Release.Name }}{{ else }}{{ printf "%s-jobgate" .Release.Name }}{{ end }}
{{- end }}

{{/* What selects: never changes. */}}
{{- define "jobgate.selector" -}}
app.kubernetes.io/name: jobgate
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "jobgate.labels" -}}
{{ include "jobgate.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{/* The pods of api and worker, for policies. */}}
{{- define "jobgate.programs" -}}
matchLabels:
  {{- include "jobgate.selector" . | nindent 2 }}
matchExpressions:
  - key: app.kubernetes.io/component
    operator: In
    values: [api, worker]
{{- end }}

{{- define "jobgate.only" -}}
matchLabels:
  {{- include "jobgate.selector" .root | nindent 2 }}
  app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "jobgate.spread" -}}
{{- range tuple "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
- maxSkew: 1
  topologyKey: {{ . }}
  whenUnsatisfiable: ScheduleAnyway
  labelSelector:
    {{- include "jobgate.only" $ | nindent 4 }}
  matchLabelKeys: [pod-template-hash]
{{- end }}
{{- end }}

{{- define "jobgate.podSecurity" -}}
runAsNonRoot: true
runAsUser: {{ . }}
runAsGroup: {{ . }}
fsGroup: {{ . }}
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "jobgate.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{- define "jobgate.image" -}}
{{- with .root.Values.image.registry }}{{ . }}/{{ end }}{{ .of.repository }}
{{- if .of.digest }}@{{ .of.digest }}{{ else if .root.Values.image.tag }}:{{ .root.Values.image.tag }}{{ end }}
{{- end }}

{{- define "jobgate.secretsVolume" -}}
- name: secrets
{{- if eq .root.Values.secrets.source "csi" }}
  csi:
    driver: secrets-store.csi.k8s.io
    readOnly: true
    volumeAttributes:
      secretProviderClass: {{ include "jobgate.name" .root }}-{{ .component }}
{{- else }}
  secret:
    secretName: {{ eq .component "redis" | ternary .root.Values.secrets.redisName .root.Values.secrets.name }}
{{- end }}
{{- end }}

{{- define "jobgate.secretProvider" -}}
apiVersion: secrets-store.csi.x-k8s.io/v1
kind: SecretProviderClass
metadata:
  name: {{ include "jobgate.name" .root }}-{{ .component }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "jobgate.labels" .root | nindent 4 }}
    app.kubernetes.io/component: {{ .component }}
spec:
  provider: azure
  parameters:
    usePodIdentity: "false"
    clientID: {{ .of.clientId }}
    keyvaultName: {{ .root.Values.azure.keyVault }}
    tenantId: {{ .root.Values.azure.tenantId }}
    objects: |
      array:
      {{- range .objects }}
        - |
          objectName: {{ . }}
          objectType: secret
      {{- end }}
{{- end }}

{{- define "jobgate.identity" -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ include "jobgate.name" .root }}-{{ .component }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "jobgate.labels" .root | nindent 4 }}
    app.kubernetes.io/component: {{ .component }}
  {{- if .root.Values.azure.enabled }}
  annotations:
    azure.workload.identity/client-id: {{ .of.clientId }}
    azure.workload.identity/tenant-id: {{ .root.Values.azure.tenantId }}
  {{- end }}
automountServiceAccountToken: false
{{- end }}

{{/* The settings of a program: what all have, then what the values say. */}}
{{- define "jobgate.settings" -}}
{{- $settings := dict "OPS_LISTEN" "0.0.0.0:9090" "REDIS_URL_FILE" "/mnt/secrets/redis-url" "AZURE_AUTH" "workload"
    "BLOB_URL" .root.Values.azure.blobUrl "LOG_LEVEL" "info" -}}
{{- if eq .component "api" }}{{ $_ := set $settings "API_LISTEN" "0.0.0.0:8080" }}{{ end -}}
{{- range $name, $value := .of.env }}{{ $_ := set $settings $name $value }}{{ end -}}
{{- range $name, $value := $settings }}
{{ $name }}: {{ $value | toString | quote }}
{{- end }}
{{- end }}

{{- define "jobgate.config" -}}
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ include "jobgate.name" .root }}-{{ .component }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "jobgate.labels" .root | nindent 4 }}
data:
  {{- include "jobgate.settings" . | nindent 2 }}
{{- end }}

{{/* A policy's head: name, the pods, which way. */}}
{{- define "jobgate.policy" -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ .name }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "jobgate.labels" .root | nindent 4 }}
    {{- with .component }}
    app.kubernetes.io/component: {{ . }}
    {{- end }}
spec:
  podSelector:
    {{- if .component }}
    {{- include "jobgate.only" . | nindent 4 }}
    {{- else if .all }}
    {}
    {{- else }}
    {{- include "jobgate.programs" .root | nindent 4 }}
    {{- end }}
{{- end }}
