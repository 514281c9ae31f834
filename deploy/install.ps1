# The stack on Windows, with Docker Desktop: what make does elsewhere, by the same `nighttrain stack` within the image.
# Run it in the project's folder:
#   powershell -ExecutionPolicy Bypass -File deploy\install.ps1 [up | size | scale N | alerts | report | models DIR |
#                                                                down | clean-data] [-Fresh] [-Yes]
param([string]$Command = "up", [string]$Argument = "", [switch]$Fresh, [switch]$Yes)
Set-Location (Join-Path $PSScriptRoot "..")
$OutputEncoding = [Console]::OutputEncoding = New-Object System.Text.UTF8Encoding $false

$Services = "coordinator", "trainer", "prometheus", "alertmanager", "grafana"
$Variables = "^(BT_NIGHT_[A-Z0-9_]*|TRAINERS|TRAINER_MEMORY|CANDLES_DIR|CANDLES_URL|CANDLES_CREDENTIALS|NIGHT_CONFIG|ALERTING_ENV|COMPOSE_PROJECT_NAME|[A-Z]+_PORT)$"

function Stop-With([string]$Message) {
    [Console]::Error.WriteLine("nighttrain: $Message")
    exit 2
}

# Docker writes its progress to stderr, which is no error: only its exit code counts.
function Invoke-Docker {
    & docker @args
    if ($LASTEXITCODE -ne 0) { exit 2 }
}

function Get-Given { Get-ChildItem Env: | Where-Object { $_.Name -cmatch $Variables -and $_.Value } }

# Compose takes the older name of the port first, also from .env.
if ($env:DASHBOARD_PORT -and -not $env:BT_NIGHT_DASHBOARD_PORT) { $env:BT_NIGHT_DASHBOARD_PORT = $env:DASHBOARD_PORT }

if (-not (Get-Command docker -ErrorAction SilentlyContinue)) {
    Stop-With "docker is not installed (https://docs.docker.com/desktop)"
}
# docker-compose.yml names a file that may be absent (env_file with required: false).
$compose = "$(& docker compose version --short 2>$null)".Trim()
if ($LASTEXITCODE -ne 0) { Stop-With "docker has no Compose v2 (docker compose version fails)" }
if ($compose -match "^v?(\d+)\.(\d+)" -and [version]"$($Matches[1]).$($Matches[2])" -lt [version]"2.24") {
    Stop-With "docker has Compose $compose, and the stack needs 2.24 or newer: update Docker Desktop"
}
& docker info --format "{{.ServerVersion}}" 2>$null | Out-Null
if ($LASTEXITCODE -ne 0) { Stop-With "the docker engine does not answer: start Docker Desktop" }
$config = & docker compose --profile tools config --format json
if ($LASTEXITCODE -ne 0) { Stop-With "docker compose cannot read its settings (see .env)" }
$project = ($config -join "`n" | ConvertFrom-Json).name

# Two copies with the same name would take over each other's containers and volumes.
$here = (Get-Location).Path
& docker ps --all --filter "label=com.docker.compose.project=$project" --format '{{.Label `com.docker.compose.project.working_dir`}}' |
    Sort-Object -Unique | Where-Object { $_ -and (Test-Path $_) -and (Resolve-Path $_).Path -ne $here } | ForEach-Object {
        Stop-With "the containers named $project belong to the copy in ${_}: give this one another COMPOSE_PROJECT_NAME and other ports in .env, or stop that one"
    }

# What is mounted must be there first.
New-Item -ItemType Directory -Force data\candles, data\sample, secrets | Out-Null
if (-not (Test-Path deploy\alerting.env)) { Copy-Item deploy\alerting.env.example deploy\alerting.env }

function Get-Ports {
    $now = (& docker compose config --format json) -join "`n" | ConvertFrom-Json
    foreach ($name in "coordinator", "grafana", "prometheus", "alertmanager") {
        [pscustomobject]@{ Service = $name; Port = "$($now.services.$name.ports[0].published)" }
    }
}

function Get-PortWords { (Get-Ports | ForEach-Object { "$($_.Service) $($_.Port)" }) -join " " }

# All that are taken at once, and before a build that may take minutes. Only the engine knows what it can publish.
function Assert-Ports {
    $python = ((& docker compose config --format json) -join "`n" | ConvertFrom-Json).services.volumes.image
    $held = "$(& docker ps --filter "label=com.docker.compose.project=$project" --format '{{.Ports}}')"
    $seen = @(); $clashes = 0
    foreach ($one in Get-Ports) {
        if ($one.Port -eq "0" -or $held.Contains(":$($one.Port)->")) { continue }
        $said = "$(& docker run --rm -p "127.0.0.1:$($one.Port):1" --entrypoint /bin/true $python 2>&1)"
        if ($seen -contains $one.Port -or $said -match "already in use|already allocated|not available|forbidden") {
            $name = if ($one.Service -eq "coordinator") { "DASHBOARD_PORT" } else { "$($one.Service.ToUpper())_PORT" }
            [Console]::Error.WriteLine("nighttrain: port $($one.Port) of 127.0.0.1 is taken: set another $name in .env, then run this again")
            $clashes += 1
        }
        $seen += $one.Port
    }
    if ($clashes) { exit 2 }
}

# Prints what Python says of this folder; its lines `set NAME=VALUE` are taken over.
function Invoke-Desk {
    $facts = @(& docker info --format "{{json .}}") + @(& docker compose --profile tools config --format json) +
        @(Get-Given | ForEach-Object { "$($_.Name)=$($_.Value)" })
    $facts | & docker compose run --rm --no-deps -T stack @args | ForEach-Object {
        if ($_ -match "^set ([A-Z_]+)=(.*)$") { Set-Item "Env:$($Matches[1])" $Matches[2] } elseif ($_) { Write-Host $_ }
    }
    if ($LASTEXITCODE -ne 0) { exit 2 }
}

# Whatever the settings name: candles and configuration are not looked at.
function Use-Defaults {
    $env:CANDLES_DIR = "./data/candles"; $env:NIGHT_CONFIG = "./deploy/night_training.yaml"
    $env:ALERTING_ENV = "./deploy/alerting.env.example"
}

function Test-Alerting {
    $said = & docker compose run --rm --no-deps -T alertmanager amtool check-config /run/alertmanager/alertmanager.yml 2>&1
    if ($LASTEXITCODE -eq 0) { return $true }
    [Console]::Error.WriteLine("nighttrain: alerting.env: $("$($said | Select-Object -Last 1)" -replace '^/run/secrets/alerting: ', '')")
    return $false
}

function Test-Running { [bool](& docker compose ps --quiet coordinator 2>$null) }

function Assert-Built {
    $desk = & docker image inspect --format '{{index .Config.Labels `nighttrain.desk`}}' "$project-coordinator" 2>$null
    if (-not $desk) { Stop-With "there is no stack yet, or one of an earlier version; run: deploy\install.ps1" }
}

function Assert-Running { Assert-Built; if (-not (Test-Running)) { Stop-With "the stack is not running; run: deploy\install.ps1" } }

switch ($Command) {
    "up" {
        Assert-Ports
        $env:NIGHTTRAIN_REVISION = if ($revision = & git rev-parse --short HEAD 2>$null) { $revision } else { "unknown" }
        Invoke-Docker compose build
        Invoke-Desk prepare
        # The secrets are this user's alone.
        & icacls secrets /inheritance:r /grant:r "$($env:USERNAME):(OI)(CI)F" /T | Out-Null
        if ($env:NIGHTTRAIN_SAMPLE) { Invoke-Docker compose run --rm --no-deps -T sample }
        if (-not (Test-Alerting)) {
            [Console]::Error.WriteLine("nighttrain: until that is fixed, alerts go to the coordinator only; then run: deploy\install.ps1 alerts")
            $env:ALERTING_ENV = "./deploy/alerting.env.example"
        }
        $log = & docker compose up --detach --wait --wait-timeout 180 @Services 2>&1 | ForEach-Object { Write-Host $_; "$_" }
        if ($LASTEXITCODE -ne 0) {
            @($log) + "== states" + @(& docker compose ps --all --format json) + "== logs" +
                @(& docker compose logs --no-color --tail 1) | & docker compose run --rm --no-deps -T stack explain --ports (Get-PortWords)
            exit 2
        }
        $again = if ($Fresh) { @("--fresh") } else { @() }
        Invoke-Docker compose exec -T coordinator nighttrain stack start @again --ports (Get-PortWords)
    }
    "size" { Use-Defaults; Assert-Built; Invoke-Desk size }
    "scale" {
        Assert-Running; Invoke-Desk scale -- $Argument
        Invoke-Docker compose up --detach --no-recreate --no-deps --scale "trainer=$Argument" trainer
    }
    "alerts" {
        Assert-Running
        if (-not (Test-Alerting)) { Stop-With "the earlier settings stay in force" }
        Invoke-Desk alerts
        Invoke-Docker compose up --detach --wait alertmanager
    }
    "report" {
        Assert-Built
        if (Test-Running) { Invoke-Docker compose exec -T coordinator nighttrain stack report }
        else { Use-Defaults; Invoke-Docker compose run --rm --no-deps -T stack report --stopped }
    }
    "models" {
        if (-not $Argument) { Stop-With "say where to: deploy\install.ps1 models my-models" }
        Assert-Built; Use-Defaults
        $target = (New-Item -ItemType Directory -Force $Argument).FullName
        Invoke-Docker compose run --rm --no-deps -T -v "${target}:/copies" stack models
    }
    "down" { Invoke-Docker compose down }
    "clean-data" {
        Assert-Built; Use-Defaults
        Invoke-Docker compose run --rm --no-deps -T stack inventory
        if (-not $Yes -and (Read-Host "Delete it? [y/N]") -notin "y", "yes") { Stop-With "nothing was deleted" }
        Invoke-Docker compose down --volumes
    }
    default { Stop-With "there is no ${Command}: up, size, scale N, alerts, report, models DIR, down or clean-data" }
}
