# The stack on Windows, with Docker Desktop: what `make up` does elsewhere. Run it in the project's folder:
#   powershell -ExecutionPolicy Bypass -File deploy\install.ps1
Set-Location (Join-Path $PSScriptRoot "..")

function Stop-With([string]$Message) {
    [Console]::Error.WriteLine("nighttrain: $Message")
    exit 2
}

# Docker writes its progress to stderr, which is no error: only its exit code counts.
function Invoke-Docker {
    & docker @args
    if ($LASTEXITCODE -ne 0) { Stop-With "docker $($args -join ' ') failed with $LASTEXITCODE" }
}

function Get-Setting([string]$Key) {
    $line = Get-Content .env | Where-Object { $_.StartsWith("$Key=") } | Select-Object -Last 1
    if (-not $line) { return "" }
    $value = $line.Substring($Key.Length + 1).Trim()
    # As Compose reads it: quotes go, and so does a comment.
    if ($value -match '^(["''])(.*?)\1') { return $Matches[2] }
    return ($value -replace '(^| )#.*$', '').Trim()
}

function Test-Candles([string]$Folder) {
    return [bool](Get-ChildItem -Recurse -File -ErrorAction SilentlyContinue -LiteralPath $Folder | Select-Object -First 1)
}

function Set-Setting([string]$Key, [string]$Value) {
    $kept = @(Get-Content .env | Where-Object { -not $_.StartsWith("$Key=") })
    ($kept + "$Key=$Value") | Set-Content -Encoding ascii .env
}

if (-not (Get-Command docker -ErrorAction SilentlyContinue)) {
    Stop-With "docker is not installed (https://docs.docker.com/desktop)"
}
# docker-compose.yml names a file that may be absent (env_file with required: false).
$compose = "$(& docker compose version --short 2>$null)".Trim()
if ($LASTEXITCODE -ne 0) { Stop-With "docker has no Compose v2 (docker compose version fails)" }
if ($compose -match "^v?(\d+)\.(\d+)" -and [version]"$($Matches[1]).$($Matches[2])" -lt [version]"2.24") {
    Stop-With "docker has Compose $compose, and the stack needs 2.24 or newer: update Docker Desktop"
}
$engine = & docker info --format "{{.NCPU}} {{.MemTotal}}" 2>$null
if ($LASTEXITCODE -ne 0) { Stop-With "the docker engine does not answer: start Docker Desktop" }
$cores, $bytes = "$engine".Trim().Split(" ")

# Secrets are made once, readable by this user alone.
New-Item -ItemType Directory -Force secrets | Out-Null
foreach ($name in "nighttrain_token", "grafana_password") {
    $path = Join-Path (Get-Location) "secrets\$name"
    if (-not (Test-Path $path)) {
        $random = New-Object byte[] 32
        [System.Security.Cryptography.RandomNumberGenerator]::Create().GetBytes($random)
        [System.IO.File]::WriteAllText($path, ([System.BitConverter]::ToString($random) -replace "-", "").ToLower())
        & icacls $path /inheritance:r /grant:r "$($env:USERNAME):F" | Out-Null
    }
}
if (-not (Test-Path deploy\alerting.env)) { Copy-Item deploy\alerting.env.example deploy\alerting.env }

if (-not (Test-Path .env)) {
    $total = [math]::Floor([int64]$bytes / 1MB)
    $wanted = 2.0
    $line = Select-String -Path deploy\night_training.yaml -Pattern "^max_memory_per_process:\s*([0-9.]+)"
    if ($line) { $wanted = [double]::Parse($line.Matches[0].Groups[1].Value, [cultureinfo]::InvariantCulture) }
    # The limits of all services but the trainers take 1700 MiB; 85 % of the memory may be used.
    $usable = [math]::Floor($total * 0.85 - 1700)
    $size = [int][math]::Max(512, [math]::Min($wanted * 1024, $usable))
    $trainers = [int][math]::Max(1, [math]::Min([int]$cores - 1, [math]::Floor($usable / $size)))
    @(
        "# Written by deploy/install.ps1 for this machine ($cores cores, $total MiB). Change it, or delete it.",
        "COMPOSE_PROJECT_NAME=nighttrain", "TRAINERS=$trainers", "TRAINER_MEMORY=${size}m",
        "CANDLES_DIR=./data/candles", "ALERTING_ENV=./deploy/alerting.env",
        "DASHBOARD_PORT=5000", "GRAFANA_PORT=3000", "PROMETHEUS_PORT=9090", "ALERTMANAGER_PORT=9093",
        "BT_NIGHT_TRAINING=true"
    ) | Set-Content -Encoding ascii .env
    Write-Host "wrote .env: $trainers trainer(s) of $size MiB"
}
@(Get-Content .env | Where-Object { $_ -match "^BT_NIGHT_" -and $_ -notmatch "^BT_NIGHT_TRAINING=" }) |
    Set-Content -Encoding ascii .env.night

# A folder that the user chose is never replaced by another.
$asked = if ($env:CANDLES_DIR) { $env:CANDLES_DIR } else { Get-Setting "CANDLES_DIR" }
$folder = if ($asked) { $asked } else { "./data/candles" }
$folder = $folder -replace '^(~|\$HOME|\$\{HOME\})(?=$|[\\/])', $HOME.Replace('$', '$$')
$plain = $folder -replace '\\', '/' -replace '^\./|/$', ''
if ($plain -eq "data/sample" -and -not $env:CANDLES_DIR -and (Test-Candles "data/candles")) {
    Write-Host "there are candles in data/candles now: using them instead of the SYNTHETIC ones in data/sample"
    $asked = $folder = "./data/candles"
    Set-Setting "CANDLES_DIR" $folder
}
$found = Test-Candles $folder
if (-not $found -and $plain -notin "data/candles", "data/sample") {
    Stop-With "CANDLES_DIR: there are no candles in $folder, or you may not read them"
}
# Compose takes a bare name for the name of a volume, and has no $HOME on Windows.
if ($folder -notmatch '^([A-Za-z]:|[\\/.])') { $folder = "./$folder" }
if ($asked -and $folder -ne $asked) { $env:CANDLES_DIR = $folder }
Invoke-Docker compose build --quiet
if (-not $found) {
    Write-Host "no candles in ${folder}: making SYNTHETIC ones in data/sample"
    New-Item -ItemType Directory -Force data\sample | Out-Null
    Invoke-Docker compose run --rm -T sample
    if ($env:CANDLES_DIR) { $env:CANDLES_DIR = "./data/sample" } else { Set-Setting "CANDLES_DIR" "./data/sample" }
}
# Only a coordinator that is recreated reads a changed configuration.
$digest = (Get-FileHash deploy\night_training.yaml).Hash.Substring(0, 12).ToLower()
Set-Setting "NIGHT_DIGEST" $digest
Invoke-Docker compose up --detach --wait coordinator trainer prometheus alertmanager grafana
$training = if ($env:BT_NIGHT_TRAINING) { $env:BT_NIGHT_TRAINING } else { Get-Setting "BT_NIGHT_TRAINING" }
if ($training -eq "true") {
    Invoke-Docker compose exec -T coordinator nighttrain start
} else {
    Write-Host "BT_NIGHT_TRAINING=${training}: no night was started"
}
Write-Host "night   http://127.0.0.1:$(Get-Setting 'DASHBOARD_PORT')/"
Write-Host "status  http://127.0.0.1:$(Get-Setting 'DASHBOARD_PORT')/api/status"
Write-Host "Grafana http://127.0.0.1:$(Get-Setting 'GRAFANA_PORT') (user admin, password in secrets\grafana_password)"
