{{/*
The names of the services that run, in the order of the table's keys, as JSON.
*/}}
{{- define "doorward.enabled" -}}
{{- $enabled := list }}
{{- range $name, $_ := include "doorward.table" . | fromYaml }}
{{- if (index $.Values.services $name).enabled }}
{{- $enabled = append $enabled $name }}
{{- end }}
{{- end }}
{{- $enabled | toJson }}
{{- end }}

{{- define "doorward.labels" -}}
app.kubernetes.io/part-of: doorward
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "doorward.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{- define "doorward.pod" -}}
automountServiceAccountToken: false
# Otherwise Kubernetes sets variables such as GATEWAY_PORT, which look like settings of ours.
enableServiceLinks: false
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
securityContext:
  runAsNonRoot: true
  {{- if not .Values.openshift }}
  runAsUser: 65532
  runAsGroup: 65532
  # Secrets are readable only by this group.
  fsGroup: 65532
  {{- end }}
  seccompProfile:
    type: RuntimeDefault
{{- end }}

{{- define "doorward.container" -}}
image: {{ include "doorward.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
{{- end }}

{{/*
A selector of the pods of these services.
*/}}
{{- define "doorward.selector" -}}
{{- if eq (len .) 1 -}}
matchLabels:
  app.kubernetes.io/name: {{ first . }}
{{- else -}}
matchExpressions:
  - key: app.kubernetes.io/name
    operator: In
    values: [{{ join ", " . }}]
{{- end }}
{{- end }}
