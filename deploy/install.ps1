# The stack on Windows, with Docker Desktop: what `make up` does elsewhere. Run it in the project's folder:
#   powershell -ExecutionPolicy Bypass -File deploy\install.ps1
$ErrorActionPreference = "Stop"
Set-Location (Join-Path $PSScriptRoot "..")

function Invoke-Docker {
    & docker @args
    if ($LASTEXITCODE -ne 0) { throw "docker $($args -join ' ') failed with $LASTEXITCODE" }
}

if (-not (Get-Command docker -ErrorAction SilentlyContinue)) {
    Write-Error "docker is not installed (https://docs.docker.com/desktop)"; exit 2
}
& docker info *> $null
if ($LASTEXITCODE -ne 0) { Write-Error "the docker engine does not answer: start Docker Desktop"; exit 2 }

# Secrets are made once, readable by this user alone.
New-Item -ItemType Directory -Force secrets | Out-Null
foreach ($name in "nighttrain_token", "grafana_password") {
    $path = Join-Path (Get-Location) "secrets\$name"
    if (-not (Test-Path $path)) {
        $bytes = New-Object byte[] 32
        [System.Security.Cryptography.RandomNumberGenerator]::Create().GetBytes($bytes)
        [System.IO.File]::WriteAllText($path, ([System.BitConverter]::ToString($bytes) -replace "-", "").ToLower())
        & icacls $path /inheritance:r /grant:r "$($env:USERNAME):F" | Out-Null
    }
}
if (-not (Test-Path deploy\alerting.env)) { Copy-Item deploy\alerting.env.example deploy\alerting.env }

if (-not (Test-Path .env)) {
    $cores = [int](& docker info --format "{{.NCPU}}")
    $total = [math]::Floor([int64](& docker info --format "{{.MemTotal}}") / 1MB)
    # The limits of all services but the trainers take 1700 MiB; 85 % of the memory may be used.
    $usable = [math]::Floor($total * 0.85 - 1700)
    $size = [math]::Max(512, [math]::Min(2048, $usable))
    $trainers = [math]::Max(1, [math]::Min($cores - 1, [math]::Floor($usable / $size)))
    $candles = "./data/candles"
    @(
        "# Written by deploy/install.ps1 for this machine ($cores cores, $total MiB). Change it, or delete it.",
        "TRAINERS=$trainers", "TRAINER_MEMORY=${size}m",
        "CANDLES_DIR=$candles", "ALERTING_ENV=./deploy/alerting.env",
        "DASHBOARD_PORT=5000", "GRAFANA_PORT=3000", "PROMETHEUS_PORT=9090", "ALERTMANAGER_PORT=9093",
        "BT_NIGHT_TRAINING=true"
    ) | Set-Content -Encoding ascii .env
    Write-Host "wrote .env: $trainers trainer(s) of $size MiB"
}

Invoke-Docker compose build --quiet
$folder = ((Get-Content .env | Where-Object { $_ -match "^CANDLES_DIR=" }) -replace "^CANDLES_DIR=", "")
if (-not (Test-Path $folder) -or -not (Get-ChildItem -Recurse -File $folder | Select-Object -First 1)) {
    Write-Host "no candles in ${folder}: making SYNTHETIC ones in data/sample"
    New-Item -ItemType Directory -Force data\sample | Out-Null
    $env:CANDLES_DIR = "./data/sample"
    Invoke-Docker compose run --rm --no-deps -T --entrypoint nighttrain -v "$(Get-Location)/data/sample:/sample" trainer data sample --out /sample
    (Get-Content .env) -replace "^CANDLES_DIR=.*", "CANDLES_DIR=./data/sample" | Set-Content -Encoding ascii .env
}
Invoke-Docker compose up --detach --wait coordinator trainer prometheus alertmanager grafana
Invoke-Docker compose exec -T coordinator python3 -m coordinator.start
Write-Host "status  http://127.0.0.1:5000/api/status"
Write-Host "Grafana http://127.0.0.1:3000 (user admin, password in secrets\grafana_password)"
