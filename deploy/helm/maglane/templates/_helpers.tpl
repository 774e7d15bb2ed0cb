{{/* SPDX-License-Identifier: Apache-2.0 */}}
{{- define "maglane.name" -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "maglane.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (include "maglane.name" .) -}}
{{- end -}}

{{- define "maglane.selector" -}}
app.kubernetes.io/name: maglane
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "maglane.labels" -}}
{{ include "maglane.selector" . }}
app.kubernetes.io/part-of: maglane
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}
